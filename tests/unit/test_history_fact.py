"""The history as hosts keep it, and as people read it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from llamarig.cli import history as command
from llamarig.onhost import history as onhost
from llamarig.paths import HISTORY
from llamarig.tasks.facts.history import MOST_BYTES, MOST_LINES, History

LINE = {
    "when": 1764104281.5, "who": "ann@desk", "action": "up", "generation": 4, "previous": 3,
    "settings": "ab12", "result": "live", "reason": "", "down_seconds": 12.34,
}  # fmt: skip


def test_what_the_host_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    what = {key: value for key, value in LINE.items() if key != "when"}
    onhost.append(str(path), **what)
    (entry,) = History().process(path.read_text().splitlines()).entries
    assert (entry.who, entry.generation, entry.down_seconds) == ("ann@desk", 4, 12.34)
    assert entry.when > 1.7e9


def test_broken_lines_are_counted_and_cost_no_others() -> None:
    broken = [
        "{", "[]", "null", '"x"', json.dumps({**LINE, "who": 7}), "{" * 5000,
        json.dumps({**LINE, "when": "soon"}), json.dumps({**LINE, "generation": True}),
        json.dumps({**LINE, "when": 10**400}), json.dumps({**LINE, "down_seconds": float("nan")}),
        json.dumps({key: LINE[key] for key in ("when", "who")}),
    ]  # fmt: skip
    found = History().process([json.dumps(LINE), *broken, "", json.dumps(LINE)])
    assert (len(found.entries), found.broken) == (2, len(broken))


def asked(path: Path) -> str:
    """What the fact's command prints of a history that lies at `path`."""
    line = History().command().replace(HISTORY, str(path))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_only_the_newest_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    lines = [json.dumps({**LINE, "generation": number}) for number in range(300)]
    path.write_text("\n".join([*lines, "x" * 10**6, *lines]) + "\n")
    found = History().process(asked(path).splitlines())
    assert [entry.generation for entry in found.entries] == list(range(300 - MOST_LINES, 300))
    path.write_text("\n".join([*lines, "x" * 10**6, *lines[:10]]) + "\n")
    printed = asked(path)
    assert len(printed) <= MOST_BYTES
    found = History().process(printed.splitlines())
    assert (len(found.entries), found.broken) == (10, 1)
    assert asked(tmp_path / "none") == ""


def test_a_row_says_what_became_what() -> None:
    row = command.row({**LINE, "reason": "it did not\x1b answer"})
    assert row[1:] == ["ann@desk", "up", "3 -> 4", "live", "12.3 s", "it did not\x1b answer"]
    first = command.row({**LINE, "previous": None, "down_seconds": None, "reason": ""})
    assert first[3:] == ["4", "live", "-", "-"]
    assert command.row({**LINE, "when": 1e300})[0] == "?"


def test_no_host_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"history": [{**LINE, "who": "a\x1b[2J\nb"}], "history_broken": 2}
    command._show("gpu01", entry)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert len(printed.splitlines()) == 4
    assert printed.endswith("gpu01: 2 broken line(s) of /var/lib/llamarig/history.jsonl left out\n")
