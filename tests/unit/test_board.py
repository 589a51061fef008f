"""The live table of a rollout: 24 hosts on eighty columns, whatever they say."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from llamarig import report
from llamarig.cli.board import Board
from llamarig.cli.board_rows import Row, chosen
from llamarig.cli.rollout_view import routine
from llamarig.display import MARK
from llamarig.rollout.parts import CANARY, LOOK, STAGE, WAVE, Part

NAMES = [f"workstation{number:02}.lan" for number in range(1, 25)]
PASS = {"verdict": "pass", "speedup": 1.98, "interval": [1.93, 2.03]}


def entry(**known: Any) -> dict[str, Any]:
    return {**report.empty(), **known}


def at(step: str) -> dict[str, Any]:
    return entry(step=step)


def console(height: int = 40) -> Console:
    return Console(
        file=io.StringIO(), width=80, height=height, force_terminal=True, color_system=None
    )


def picture(board: Board, height: int = 40) -> list[str]:
    """The table's lines."""
    paper = Console(file=io.StringIO(), width=80, height=height, color_system=None)
    paper.print(board.picture())
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue().splitlines()


def above(board: Board) -> str:
    """What was written besides the table."""
    stream = board._console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_24_hosts_fit_into_eighty_columns() -> None:
    board = Board(NAMES, console())
    board.begin(Part(WAVE, tuple(NAMES), "wave 1 of 2: " + ", ".join(NAMES)))
    board.hosts({name: at("Proof") for name in NAMES})
    for name in NAMES:
        board.line(f"{MARK}[{name}] prove generation 3: measure 12/36 answers (33 %), and more")
    lines = picture(board)
    assert len(lines) == 2 + 24 + 1
    assert max(map(len, lines)) <= 80
    assert "measure 12/36 answers" in lines[2]
    assert lines[25].startswith(NAMES[-1][:15])


def test_where_there_is_no_room_the_busy_are_shown_and_the_others_counted() -> None:
    board = Board(NAMES, console(height=12))
    board.ended(Part(LOOK, tuple(NAMES), ""), {name: entry() for name in NAMES})
    board.begin(Part(CANARY, (NAMES[20],), "canary"))
    lines = picture(board)
    assert len(lines) == 2 + 8 + 1
    assert lines[-2].split()[:2] == [NAMES[20][:15] + "…", "now"]
    assert lines[-1].strip() == "and 16 more: 16 waiting"


@pytest.mark.parametrize(
    ("steps", "cells"),
    [
        ([], ["now", "-", "-", "-", "-", "-"]),
        (["Preflight", "Model"], ["now", "-", "-", "-", "-", "-"]),  # the download's start
        (["Preflight", "Model", "Toolchain"], ["ok", "now", "-", "-", "-", "-"]),
        (["Preflight", "llama.cpp", "Model"], ["ok", "ok", "now", "-", "-", "-"]),
        (["Preflight", "llama.cpp", "Our own"], ["ok", "now", "-", "-", "-", "-"]),
        (["Preflight", "Server", "Proof", "Switch"], ["ok", "ok", "ok", "ok", "ok", "now"]),
    ],
)
def test_stages_follow_the_story(steps: list[str], cells: list[str]) -> None:
    row = Row("gpu01")
    row.began()
    for step in steps:
        row.seen(at(step))
    assert row.cells() == cells


def test_a_staged_host_waits_with_what_it_has_behind_it() -> None:
    row = Row("gpu01")
    row.began()
    row.ended(Part(STAGE, ("gpu01",), ""), entry())
    assert (row.cells(), row.note) == (["ok", "ok", "ok", "ok", "-", "-"], "staged, waits")
    row.began()
    assert row.cells() == ["now", "ok", "ok", "ok", "-", "-"]


def test_a_failure_shows_its_stage_and_cause_as_it_happens() -> None:
    row = Row("gpu01")
    row.began()
    row.seen(at("Server"))
    row.seen(entry(step="Server", failed=1, problems=["no space left"]))
    assert row.cells() == ["ok", "ok", "ok", "FAIL", "-", "-"]
    assert row.note == "no space left"


def test_what_came_out_stands_in_the_row() -> None:
    row = Row("gpu01")
    row.ended(Part(WAVE, ("gpu01",), ""), entry(smoke=PASS))
    assert (set(row.cells()), row.note) == ({"ok"}, "1.98x [1.93, 2.03]")
    row.ended(Part(LOOK, ("gpu01",), ""), entry(settled=True, smoke=PASS))
    assert row.note == "nothing to do"


def test_lines_that_matter_stay_above_and_steps_go_into_rows() -> None:
    board = Board(["gpu01"], console())
    board.line("--> Connecting to hosts...")
    board.line("    [gpu01] Connected")
    board.line("[gpu01] changed: Server | Stage a generation")
    board.line("[gpu01] warning: no ECC")
    board.line("--> pyinfra error in x.py line 29: No hosts remaining!")
    board.line("    [gpu02] Could not connect (timed out)")
    said = above(board).splitlines()
    assert [line.strip() for line in said] == [
        "[gpu01] warning: no ECC",
        "--> pyinfra error in x.py line 29: No hosts remaining!",
        "[gpu02] Could not connect (timed out)",
    ]
    assert "Server | Stage a generation" in picture(board)[2]


def test_a_host_cannot_steer_the_terminal() -> None:
    board = Board(["gpu01"], console())
    board.line("[gpu01] \x1b[2Jgone [bold]x[/bold]")
    board.line(f"{MARK}[gpu01] a: \x1b]0;title\x07")
    assert "\x1b[2J" not in above(board)
    assert "[bold]x[/bold]" in above(board)
    assert "\x07" not in "".join(picture(board))


def test_rows_are_chosen_by_what_they_do_and_keep_their_order() -> None:
    rows = [Row(name) for name in "abcd"]
    rows[0].state, rows[1].state, rows[3].state = "done", "failed", "running"
    shown, more = chosen(rows, 2)
    assert ([row.name for row in shown], more) == (["b", "d"], "and 2 more: 1 waiting, 1 done")
    assert chosen(rows, 4) == (rows, "")
    assert chosen(rows, -3)[0] == []


@pytest.mark.parametrize(
    "line", ["", "--> Results:", "    [a] Connected", "    Loading: deploy.py",
             "[a] Ready: deploy.py", "    [a] Error: executed 0 commands"]
)  # fmt: skip
def test_what_pyinfra_says_at_every_run_is_left_out(line: str) -> None:
    assert routine(line)


@pytest.mark.parametrize("line", ["[a] failed: Server | Stage", "[a] Could not connect (x)",
                                  "Traceback (most recent call last):"])  # fmt: skip
def test_what_tells_something_is_not(line: str) -> None:
    assert not routine(line)
