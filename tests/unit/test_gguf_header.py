"""GGUF headers, written by the gguf package and read by ours."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf_shapes import make

from llamarig.onhost.ggml_types import TYPES
from llamarig.onhost.gguf_header import Incomplete, parse, read


def write(path: Path, heads: int) -> Path:
    writer = gguf.GGUFWriter(str(path), "qwen35")
    writer.add_name("tiny")
    writer.add_block_count(4 + heads)
    writer.add_context_length(1024)
    if heads:
        writer.add_uint32("qwen35.nextn_predict_layers", heads)
    writer.add_token_list([f"t{i}" for i in range(1000)])
    writer.add_token_scores([0.5] * 1000)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    if heads:
        writer.add_tensor("blk.4.nextn.eh_proj.weight", np.zeros((4, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_heads_are_seen(tmp_path: Path) -> None:
    found = read(str(write(tmp_path / "m.gguf", 1)))
    assert (found.architecture, found.name, found.block_count) == ("qwen35", "tiny", 5)
    assert (found.nextn_predict_layers, found.mtp_tensors, found.tensor_count) == (1, 1, 2)
    assert found.context_length == 1024


def test_no_heads_are_none(tmp_path: Path) -> None:
    found = read(str(write(tmp_path / "m.gguf", 0)))
    assert (found.nextn_predict_layers, found.mtp_tensors) == (0, 0)


def test_every_cut_of_a_header_is_a_value_error(tmp_path: Path) -> None:
    content = write(tmp_path / "m.gguf", 1).read_bytes()
    size = parse(content).header_bytes
    for length in range(0, size, 7):
        with pytest.raises(Incomplete, match="cut off") as cut:
            parse(content[:length])
        assert length < cut.value.needs <= size


def test_something_else_is_not_a_gguf(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_text("<html>not found, really not found</html>")
    with pytest.raises(ValueError, match="not a GGUF"):
        read(str(path))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="empty"):
        read(str(path))


def test_the_types_are_those_of_the_gguf_package() -> None:
    theirs = {int(kind): (kind.name, *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}
    ours = {number: tuple(kind) for number, kind in TYPES.items()}
    assert {**ours, 9: theirs[9]} == {**theirs, 42: ("Q2_0", 64, 18)}


def test_what_the_estimate_needs(tmp_path: Path) -> None:
    path = make(tmp_path / "m.gguf", vocabulary=1000)
    found = read(str(path))
    theirs = gguf.GGUFReader(str(make(tmp_path / "n.gguf", vocabulary=1000, weights=15 * 10**9)))
    assert found.tensor_bytes == sum(each.n_bytes for each in theirs.tensors)
    own = [each for each in theirs.tensors if each.name.startswith("blk.64.")]
    assert found.mtp_bytes == sum(each.n_bytes for each in own)
    assert found.tensor_types == {"Q4_K": 505, "Q6_K": 1, "F32": 360}
    assert (found.block_count, found.nextn_predict_layers, found.mtp_tensors) == (65, 1, 4)
    assert (found.embedding_length, found.vocabulary, found.file_type) == (5120, 1000, 15)
    assert (found.key_length, found.value_length) == (256, 256)
    assert found.head_count_kv == (4,) * 65
    assert found.full_attention_interval == 4


def test_numbers_per_block(tmp_path: Path) -> None:
    found = read(str(make(tmp_path / "m.gguf", vocabulary=10, per_layer=True)))
    assert found.head_count_kv[:5] == (0, 0, 0, 4, 0)
    assert len(found.head_count_kv) == 65


def head(entries: int = 0, tensors: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def row(*dimensions: int, kind: int = 0) -> bytes:
    sizes = b"".join(struct.pack("<q", each) for each in dimensions)
    return text(b"t") + struct.pack("<I", len(dimensions)) + sizes + struct.pack("<IQ", kind, 0)


ARCHITECTURE = text(b"general.architecture") + struct.pack("<I", 8) + text(b"a")
TAIL = bytes(4096)
FLOAT, TEXT, ARRAY, BIG = (struct.pack("<I", kind) for kind in (6, 8, 9, 10))


def big(value: int) -> bytes:
    return struct.pack("<Q", value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (head(version=99), "version 99"),
        (head(version=3 << 24), "big-endian"),
        (head(entries=2**63), "counts are impossible"),
        (head(tensors=2**40), "counts are impossible"),
        (head(1) + text(b"k") + struct.pack("<I", 77), "value type 77"),
        (head(1) + text(b"k") + ARRAY + struct.pack("<IQ", 9, 1) + ARRAY * 9000, "array type 9"),
        (head(1) + text(b"k") + ARRAY + struct.pack("<IQ", 66, 1), "array type 66"),
        (head(tensors=1) + row(*[1] * 5), "5 dimensions"),
        (head(tensors=1) + row(-1), "dimension of -1"),
        (head(tensors=1) + row(2**31, 2**31), "dimension of"),
        (head(tensors=1) + row(10, kind=12), "row of 10 elements in Q4_K"),
        (head(tensors=1) + row(10, kind=999), "tensor type 999"),
        (head(2) + ARCHITECTURE + text(b"a.block_count") + BIG + big(2**63), "a.block_count"),
        (head(2) + ARCHITECTURE + text(b"a.block_count") + BIG + big(10**6), "1000000 blocks"),
        (head(2) + ARCHITECTURE + text(b"a.block_count") + FLOAT, "a.block_count: not a count"),
        (head(2) + ARCHITECTURE + text(b"a.block_count") + TEXT + text(b"5"), "not a count"),
        (
            head(2) + ARCHITECTURE + text(b"a.attention.head_count_kv") + ARRAY
            + struct.pack("<IQ", 0, 3000),
            "at most 512 blocks",
        ),
    ],
)  # fmt: skip
def test_what_is_impossible_is_said_in_one_line(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        parse(content + TAIL)
    assert not isinstance(refused.value, Incomplete)
    assert "\n" not in str(refused.value)


def test_too_many_strings_are_refused_before_they_are_walked() -> None:
    count = 4_000_001
    array = head(1) + text(b"k") + ARRAY + struct.pack("<IQ", 8, count)
    with pytest.raises(ValueError, match="more than 4000000 strings"):
        parse(array + bytes(8 * count + 64))


@pytest.mark.parametrize(
    ("value", "needs"),
    [
        (ARRAY + struct.pack("<IQ", 8, 2**60), 2**63),
        (ARRAY + struct.pack("<IQ", 10, 2**62), 2**65),
        (TEXT + big(2**62), 2**62),
    ],
)
def test_a_length_beyond_the_file_is_refused_at_once(value: bytes, needs: int) -> None:
    """What it would take is known from the length alone: nothing was walked."""
    with pytest.raises(Incomplete) as refused:
        parse(head(1) + text(b"k") + value + TAIL)
    assert refused.value.needs >= needs


def test_a_type_that_is_newer_than_we_are_is_counted() -> None:
    found = parse(head(tensors=1) + row(10, kind=200))
    assert (found.tensor_types, found.tensor_bytes) == ({"type 200": 1}, 0)


def test_names_reach_a_terminal_without_its_controls() -> None:
    entries = ARCHITECTURE + text(b"general.name") + TEXT + text(b"a\x1b[2Jb")
    assert parse(head(2) + entries).name == "a[2Jb"
