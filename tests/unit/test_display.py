"""Progress is plain lines where there is no terminal: few, and never none."""

from __future__ import annotations

import pytest

from llamarig import display


def test_lines_come_at_every_tenth_and_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(1, 225):
        display.progress("gpu01", "a build", "compile", done, 224, "steps")
    display.progress("gpu01", "a build", "install", None, None, "steps")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[gpu01] a build: compile 1/224 steps (0 %)"
    assert lines[-2] == "[gpu01] a build: compile 224/224 steps (100 %)"
    assert lines[-1] == "[gpu01] a build: install"
    assert len(lines) == 12


def test_bytes_are_shown_in_gib() -> None:
    assert display.amount(2**29, 2**30, "bytes") == "0.50/1.00 GiB"
