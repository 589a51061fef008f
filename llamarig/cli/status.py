"""status: what every host serves, how that was proven, and what is not as it should be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig.cli import deploy, runner, table
from llamarig.cli.status_lines import Hosts, ago, keys, wrong
from llamarig.display import plain

STATUS = "llamarig.tasks.status.run"
COLUMNS = ("host", "gen", "version", "model", "up", "restarts", "proof", "check", "drift")
# Names may be long: they break over lines, so that all of it fits into eighty columns.
FOLDED = {"host": 10, "version": 11, "model": 14, "up": 8}


@click.command()
@deploy.options
def status(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Show what every host serves, and what is not as it should be.

    Changes nothing; exit 1 when a host does not serve."""
    result = runner.run(inventory, STATUS, limit=limit)
    deploy.finish(result, json_path, changes=False)
    hosts = dict(sorted(result.hosts.items()))
    show(hosts)
    for line in [*wrong(hosts), *keys(hosts)]:
        print(plain(line))
    serving = all(entry.get("service") == "active" for entry in hosts.values())
    sys.exit(0 if serving and deploy.sound(result) else 1)


def show(hosts: Hosts) -> None:
    """The table: drawn on a terminal, columns of plain text elsewhere."""
    rows = [[plain(cell) for cell in row(name, entry)] for name, entry in hosts.items()]
    if not sys.stdout.isatty():
        table.columns([list(COLUMNS), *rows])
        return
    drawn = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in COLUMNS:
        width = FOLDED.get(column)
        header = column.replace("restarts", "re-\nstarts")
        drawn.add_column(header, overflow="fold", no_wrap=width is None, max_width=width)
    for each in rows:
        cells = list(map(Text, each))
        cells[6:8] = [Text(_stacked(cell)) for cell in each[6:8]]
        cells[-1].stylize({"none": "green", "-": ""}.get(each[-1], "yellow"))
        drawn.add_row(*cells)
    Console().print(drawn)


def _stacked(cell: str) -> str:
    """`1.98x fail, 3 h ago` in three lines, so that the column is narrow."""
    return cell.removesuffix(" ago").replace(", ", "\n").replace("x ", "x\n")


def row(name: str, entry: dict[str, Any]) -> list[str]:
    """A host's cells; a dash where nothing is known."""
    if "service" not in entry:
        return [name, *["-"] * (len(COLUMNS) - 1)]
    serves = entry["service"] == "active"
    model = str((entry.get("model") or {}).get("file") or "-")
    return [
        name,
        str(entry.get("generation") or "-"),
        str(entry.get("release") or "-"),
        model.rsplit("/", 1)[-1],
        ago(entry.get("seconds")) if serves else str(entry["service"]),
        str(entry.get("restarts", "-")),
        _proof(entry),
        _check(entry),
        str(len(entry.get("drift") or []) or "none"),
    ]


def _proof(entry: dict[str, Any]) -> str:
    """`2.04x, 3 d ago`; its verdict where that is not a pass."""
    proof = entry.get("smoke") or {}
    if proof.get("speedup") is None:
        return "-"
    bad = "" if proof.get("verdict") == "pass" else f" {proof.get('verdict')}"
    return f"{proof['speedup']:.2f}x{bad}, {ago(entry.get('proof_age_seconds'))}"


def _check(entry: dict[str, Any]) -> str:
    """`1.98x, 3 h ago`; its verdict where that is not a pass."""
    found = entry.get("check")
    if not found:
        return "-"
    words = [] if found["speedup"] is None else [f"{found['speedup']:.2f}x"]
    words += [] if found["verdict"] == "pass" else [str(found["verdict"])]
    return f"{' '.join(words)}, {ago(found['age_seconds'])} ago"
