"""A secret of a run reaches the command that asked, and neither the report nor the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from llamarig.cli import runner

STORY = """
from llamarig import report, secret_report

report.begin(["@local"])
secret_report.put("a-secret")
"""


def test_a_secret_is_handed_over_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (tmp_path / "inventory.py").write_text('hosts = ["@local"]\n')
    (tmp_path / "deploy.py").write_text(STORY)
    result = runner.run(tmp_path / "inventory.py", "deploy.py")
    assert result.secret == "a-secret"
    assert "a-secret" not in repr(result)
    assert "a-secret" not in "".join(capfd.readouterr())
    assert list(temporary.iterdir()) == []


def test_a_run_that_hands_nothing_over_has_no_secret(tmp_path: Path) -> None:
    (tmp_path / "inventory.py").write_text('hosts = ["@local"]\n')
    (tmp_path / "deploy.py").write_text("")
    assert runner.run(tmp_path / "inventory.py", "deploy.py").secret is None
