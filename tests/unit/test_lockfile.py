"""llamarig.lock keeps what was resolved first."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig.errors import UserError
from llamarig.lockfile import Lockfile


def test_first_entry_wins(tmp_path: Path) -> None:
    lock = Lockfile(tmp_path / "llamarig.lock")
    assert lock.get("models", "a") == {}
    assert lock.put("models", "a", {"sha256": "1"})
    assert not lock.put("models", "a", {"sha256": "2"})
    assert Lockfile(lock.path).get("models", "a") == {"sha256": "1"}


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "llamarig.lock"
    path.write_text("a: [")
    with pytest.raises(UserError, match=r"llamarig\.lock"):
        Lockfile(path).get("models", "a")
