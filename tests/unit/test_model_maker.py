"""The small model: the same bytes every time, and what its header claims."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig.onhost import gguf_header
from llamarig.rehearsal import model, vocabulary
from llamarig.rehearsal.shape import Shape


def test_the_same_shape_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        model.make(tmp_path / name, Shape(layers=4))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("heads", "layers", "tensors"), [("good", 1, 4), ("bad", 1, 4), ("none", 0, 0)]
)
def test_the_header_tells_of_the_heads(
    tmp_path: Path, heads: str, layers: int, tensors: int
) -> None:
    path = tmp_path / "m.gguf"
    model.make(path, Shape(layers=4, heads=heads))
    found = gguf_header.read(str(path))
    assert (found.nextn_predict_layers, found.mtp_tensors) == (layers, tensors)
    assert found.block_count == 4 + layers


def test_options_change_the_weights(tmp_path: Path) -> None:
    sums = set()
    for number, shape in enumerate(
        [Shape(layers=4), Shape(layers=4, heads="bad"),
         Shape(layers=4, acceptance=0.8)]
    ):  # fmt: skip
        model.make(tmp_path / str(number), shape)
        sums.add(model.sha256(tmp_path / str(number)))
    assert len(sums) == 3


def test_the_chain_never_ends() -> None:
    words = vocabulary.build()
    seen, token = set(), 0
    while token not in seen:
        seen.add(token)
        token = int(words.successor[token])
    assert token in words.chain
    assert len(words.tokens) % vocabulary.BLOCK == 0
    assert not set(words.specials.values()) & {int(each) for each in words.successor}
