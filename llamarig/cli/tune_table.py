"""What a tuning tried on a host, and what one would try."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig.cli import table
from llamarig.display import duration, plain
from llamarig.measure.grid import Grid, Step

COLUMNS = ("depth", "p-min", "t/s", "speedup", "acceptance length", "rounds", "")
# The walkthrough's card, without MTP and at depth 2; at 3 it made 87.4.
BASELINE_TPS, MTP_TPS = 44.2, 82.1


def rows(record: dict[str, Any]) -> list[list[str]]:
    """A row for every arm that was tried, by depth; a dash where nothing is known."""
    arms: dict[str, dict[str, Any]] = record.get("arms") or {}
    found = sorted(arms.items(), key=lambda arm: (arm[1]["draft_n_max"], arm[1]["draft_p_min"]))
    return [_row(arm, mark=_mark(record, name)) for name, arm in found]


def _mark(record: dict[str, Any], name: str) -> str:
    if name != record.get("best"):
        return ""
    return "best" if record["verdict"] == "pass" else "best, does not pay"


def _row(arm: dict[str, Any], *, mark: str) -> list[str]:
    return [
        str(arm["draft_n_max"]),
        table.number(arm["draft_p_min"], "g"),
        table.number(arm["tps"], ".1f"),
        table.ratio(arm["speedup"], arm["interval"]) if arm["draft_n_max"] else "-",
        table.number(arm["acceptance_length"], ".2f"),
        str(arm["rounds"]),
        mark,
    ]


def show(name: str, record: dict[str, Any]) -> None:
    """The host's table: drawn on a terminal, columns of plain text elsewhere."""
    if not (found := rows(record)):
        return
    print(plain(f"{name}: {record['tokens']} of {record['budget_tokens']} tokens"))
    if not sys.stdout.isatty():
        table.columns([list(COLUMNS), *found])
        return
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in COLUMNS:
        drawn.add_column(column.replace("acceptance ", "acceptance\n"), no_wrap=True)
    for each in found:
        drawn.add_row(*map(Text, each), style="bold green" if each[-1] == "best" else "")
    Console().print(drawn)


def announce(name: str, suite: str, over: Grid) -> None:
    """What would be tried, what it costs, and how long that takes at the walkthrough's speeds."""
    for line in announced(suite, over):
        print(plain(f"{name}: {line}"))


def announced(suite: str, over: Grid) -> list[str]:
    """The grid, its steps, their sum."""
    steps = over.steps()
    depths, p_mins = (
        ", ".join(f"{each:g}" for each in axis) for axis in (over.depths, over.p_mins)
    )
    tokens = sum(each.cost for each in steps)
    decoding = sum(seconds(each, over) for each in steps)
    loads = sum(over.loads(each.arms, each.rounds) for each in steps)
    return [
        f"depths {depths} against none, p-min {p_mins}; suite {plain(suite)}, {over.prompts} "
        "prompt(s)",
        *(
            f"{each.name}: {each.rounds} round(s) of {each.arms} servers, answers of {each.tokens} "
            f"tokens: {each.cost} tokens with warm-ups"
            for each in steps
        ),
        f"{tokens} of {over.budget} tokens; {duration(decoding)} at the walkthrough's speeds "
        f"({BASELINE_TPS} t/s, {MTP_TPS} with MTP), and {loads} loads of the model",
    ]


def seconds(step: Step, over: Grid) -> float:
    """How long a step decodes at the walkthrough's speeds."""
    share = step.cost / step.arms
    slow = share if step.baseline else 0.0
    return slow / BASELINE_TPS + (step.cost - slow) / MTP_TPS
