"""The fact about a model's record: a damaged one counts as none."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.tasks.facts.model_file import ModelFile, ModelRecord


def seen(record: Path) -> ModelRecord | None:
    """What the fact makes of a record of this machine."""
    command = ModelFile().command(str(record))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return ModelFile().process(done.stdout.splitlines()) if done.stdout else None


def sound(model: Path) -> dict[str, Any]:
    stat = model.stat()
    return {
        "path": str(model), "revision": "1" * 40, "sha256": "2" * 64, "size": stat.st_size,
        "inode": stat.st_ino, "mtime_ns": stat.st_mtime_ns, "nextn_predict_layers": 1, "repo": None,
    }  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF")
    return path


def test_a_record_is_compared_with_its_file(tmp_path: Path, model: Path) -> None:
    record = tmp_path / "it's a record.json"
    assert seen(record) is None
    record.write_text(json.dumps(sound(model)))
    expected = ModelRecord(str(model), "1" * 40, "2" * 64, 4, 1, True)
    assert seen(record) == expected
    os.utime(model, ns=(1, 1))
    found = seen(record)
    assert found
    assert not found.untouched
    model.unlink()
    assert seen(record) == found


@pytest.mark.parametrize(
    "content",
    [
        b"", b"garbage", b"[]", b"null", b"5", b'{"path": 5}', b'{"path": "/x"}', b"\xff\xfe\x00",
        b"[" * 100_000, b'{"path": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_damaged_record_is_none(tmp_path: Path, content: bytes) -> None:
    record = tmp_path / "record.json"
    record.write_bytes(content)
    assert seen(record) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", 0), ("path", None), ("path", "a\0b"), ("path", "\ud800"), ("size", "4"),
        ("size", True), ("size", float("nan")), ("revision", None), ("sha256", []),
        ("nextn_predict_layers", None),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_no_record(
    tmp_path: Path, model: Path, key: str, value: object
) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps({**sound(model), key: value}))
    assert seen(record) is None


@pytest.mark.parametrize("key", ["path", "size", "inode", "mtime_ns", "nextn_predict_layers"])
def test_a_record_that_lacks_something_is_none(tmp_path: Path, model: Path, key: str) -> None:
    content = sound(model)
    del content[key]
    record = tmp_path / "record.json"
    record.write_text(json.dumps(content))
    assert seen(record) is None


def test_what_is_no_file_is_no_record(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert seen(fifo) is None
    assert seen(tmp_path) is None


@pytest.mark.parametrize("output", ["x", "[]", "{}", '{"path": 5}', "[" * 100_000])
def test_what_is_not_from_the_script_is_refused(output: str) -> None:
    with pytest.raises(FactProcessError, match="record is not readable"):
        ModelFile().process([output])
