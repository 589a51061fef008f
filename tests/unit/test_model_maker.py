"""The small model: the same bytes every time, and what its header claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import pytest

from llamarig.errors import UserError
from llamarig.onhost import gguf_header
from llamarig.rehearsal import model, tensors, vocabulary
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


@pytest.mark.parametrize("acceptance", [0.0, 0.8, 1.0])
def test_a_lower_acceptance_is_a_share_of_wrong_successors(acceptance: float) -> None:
    words = vocabulary.build()
    learned = tensors.learned(words, Shape(acceptance=acceptance))
    wrong = int((learned != words.successor).sum())
    assert wrong == round(len(words.chain) * (1 - acceptance))


def test_a_lower_acceptance_leaves_the_trunk_as_it_was(tmp_path: Path) -> None:
    read: list[dict[str, bytes]] = []
    for acceptance in (1.0, 0.5):
        path = tmp_path / f"{acceptance}.gguf"
        model.make(path, Shape(layers=2, interval=2, acceptance=acceptance))
        read.append({t.name: t.data.tobytes() for t in gguf.GGUFReader(path).tensors})
    assert set(read[1]) - set(read[0]) == {"blk.2.nextn.shared_head_head.weight"}
    assert all(read[1][name] == data for name, data in read[0].items())


def test_other_bytes_than_ours_are_one_clear_line() -> None:
    model.check("good", model.SHA256["good"])
    with pytest.raises(UserError, match=r"^synthetic-mtp-Q4_0\.gguf was made with") as said:
        model.check("good", "0" * 64)
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "wrong",
    [{"heads": "best"}, {"acceptance": 1.1}, {"acceptance": 0.5, "heads": "bad"},
     {"interval": 1}, {"embd": 100}, {"qtype": "Q9"}],
)  # fmt: skip
def test_shapes_that_make_no_model_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Shape(**wrong)
