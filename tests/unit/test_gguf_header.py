"""GGUF headers, written by the gguf package and read by ours."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from llamarig.onhost.gguf_header import parse, read


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
        with pytest.raises(ValueError, match=r"cut off|not a GGUF"):
            parse(content[:length])


def test_something_else_is_not_a_gguf(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_text("<html>not found, really not found</html>")
    with pytest.raises(ValueError, match="not a GGUF"):
        read(str(path))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="empty"):
        read(str(path))
