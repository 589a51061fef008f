from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llamarig.cli.program import typed


@pytest.fixture(autouse=True)
def _without_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)


def test_the_next_command_is_named_as_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv/bin/llamarig"), "lab"])
    assert typed() == ".venv/bin/llamarig"
    monkeypatch.setenv("SUDO_USER", "ada")
    assert typed() == "sudo .venv/bin/llamarig"
    program = tmp_path / "bin/llamarig"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert typed() == "sudo llamarig"


def test_a_module_is_named_with_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "argv", ["/x/llamarig/cli/__main__.py"])
    assert typed() == f"{sys.executable} -m llamarig.cli"
