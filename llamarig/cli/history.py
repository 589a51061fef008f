"""history: what became current on every host, or did not, when and by whom."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig.cli import deploy, runner, table
from llamarig.display import plain

HISTORY = "llamarig.tasks.status.history"
COLUMNS = ("when", "who", "action", "generation", "result", "down", "reason")
FOLDED = ("who", "reason")


@click.command()
@deploy.options
def history(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Show the last 50 switches of every host.

    As the host itself noted them: when, who, which generation, how it ended and how long nothing
    served. Changes nothing."""
    result = runner.run(inventory, HISTORY, limit=limit)
    deploy.finish(result, json_path, changes=False)
    for name, entry in sorted(result.hosts.items()):
        _show(plain(name), entry)
    sys.exit(0 if deploy.sound(result) else 1)


def _show(name: str, entry: dict[str, Any]) -> None:
    if "history" not in entry:
        print(f"{name}: not known, see above")
        return
    rows = [[plain(cell) for cell in row(each)] for each in entry["history"]]
    if not rows:
        print(f"{name}: nothing yet")
    elif sys.stdout.isatty():
        _draw(name, rows)
    else:
        print(f"{name}:")
        table.columns([list(COLUMNS), *rows])
    if broken := entry.get("history_broken"):
        print(f"{name}: {broken} broken line(s) of /var/lib/llamarig/history.jsonl left out")


def row(entry: dict[str, Any]) -> list[str]:
    """An entry's cells; the time is that of the zone we are in."""
    down = entry["down_seconds"]
    new = "-" if entry["generation"] is None else str(entry["generation"])
    old = entry["previous"]
    return [
        _when(entry["when"]),
        entry["who"],
        entry["action"],
        new if old in (None, entry["generation"]) else f"{old} -> {new}",
        entry["result"],
        "-" if down is None else f"{down:.1f} s",
        entry["reason"] or "-",
    ]


def _when(epoch: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))
    except (OverflowError, ValueError, OSError):
        return "?"


def _draw(name: str, rows: list[list[str]]) -> None:
    """For people: eighty columns hold it, since who and why break over lines."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, title=name, title_justify="left")
    for column in COLUMNS:
        header = column.replace("generation", "gen")
        drawn.add_column(header, overflow="fold", no_wrap=column not in FOLDED)
    for each in rows:
        look = "green" if each[4] == "live" else "red"
        cells = [Text(cell) for cell in each]
        cells[4].stylize(look)
        drawn.add_row(*cells)
    Console().print(drawn)
