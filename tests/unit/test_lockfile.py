"""llamarig.lock keeps what was resolved first."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig.errors import UserError
from llamarig.lockfile import MEND, Lockfile


def test_first_entry_wins(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    assert lock.get("models", "a") == {}
    assert lock.put("models", "a", {"sha256": "1"})
    assert not lock.put("models", "a", {"sha256": "2"})
    assert Lockfile(lock.path).get("models", "a") == {"sha256": "1"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x: 1", "x: unknown, llamarig writes llama_cpp, models, choices"),
        ("models: 5", "models: found a value of type int, expected a mapping"),
        ("models:", "models: found nothing, expected a mapping"),
        ("models: {a: 5}", "models: a: found a value of type int, expected a mapping"),
        ("models: {a: {x: 5}}", "models: a: x: unknown"),
        ("models: {a: {size: -1}}", "models: a: size: found -1"),
    ],
)
def test_a_fault_says_where_and_what(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "llamarig.lock"
    path.write_text(text)
    assert Lockfile(path).faults() == [f"{path}: {fault}; {MEND}"]


def test_what_was_written_has_no_fault(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.put("models", "a b", {"revision": "0" * 40, "sha256": "0" * 64, "size": 5})
    lock.put("llama_cpp", "a b", {"commit": "0" * 40})
    lock.put("choices", "a auto", {"file": "m-Q4_K_M.gguf"})
    assert lock.faults() == []


def test_an_update_replaces_and_says_whether_it_did(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    lock.put("models", "a b", {"size": 5})
    assert lock.replace("models", "a b", {"size": 6})
    assert not lock.replace("models", "a b", {"size": 6})
    lock.put("choices", "c", {"file": "m.gguf"})
    lock.forget("choices", "c")
    assert (lock.keys("models"), lock.keys("choices")) == (["a b"], [])


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "llamarig.lock"
    path.write_text("a: [")
    with pytest.raises(UserError, match=r"llamarig\.lock"):
        Lockfile(path).get("models", "a")
