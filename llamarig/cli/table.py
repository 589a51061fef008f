"""The table that a run ends with."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLUMNS = (
    "host", "release", "model", "baseline t/s", "MTP t/s", "speedup", "acceptance", "verdict",
)  # fmt: skip


def row(name: str, entry: dict[str, Any]) -> list[str]:
    """A host's cells; a dash where nothing was measured."""
    proof = entry.get("smoke") or {}
    return [
        name,
        str(entry.get("release") or "-"),
        str((entry.get("model") or {}).get("file") or "-"),
        number(proof.get("baseline_tps"), ".1f"),
        number(proof.get("mtp_tps"), ".1f"),
        ratio(proof.get("speedup"), proof.get("interval")),
        number(proof.get("acceptance"), ".0%"),
        verdict(entry),
    ]


def verdict(entry: dict[str, Any]) -> str:
    """`pass` only where the proof passed and no operation failed; `kept` where on_gate_fail lets
    serve what did not; `undecided` where nothing else is wrong; `unreachable` where nobody
    answered."""
    if entry.get("undecided"):
        return "undecided"
    if entry.get("unreachable"):
        return "unreachable"
    if entry.get("failed") or entry.get("problems"):
        return "FAILED"
    proof = entry.get("smoke") or {}
    return "kept" if proof.get("kept") else str(proof.get("verdict") or "-")


def number(value: float | None, form: str) -> str:
    """A figure in its form, a dash where there is none."""
    return "-" if value is None else format(value, form)


def ratio(speedup: float | None, interval: list[float] | None) -> str:
    """`1.98x [1.95, 2.01]`, a dash where there is none."""
    if speedup is None:
        return "-"
    ends = f" [{interval[0]:.2f}, {interval[1]:.2f}]" if interval else ""
    return f"{speedup:.2f}x{ends}"


def show(hosts: dict[str, dict[str, Any]]) -> None:
    """Print the table on stdout: drawn on a terminal, columns of plain text elsewhere."""
    rows = [row(name, entry) for name, entry in sorted(hosts.items())]
    if sys.stdout.isatty():
        _draw(rows)
        return
    columns([list(COLUMNS), *rows])


def columns(lines: list[list[str]]) -> None:
    """Print cells as columns of plain text, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _draw(rows: list[list[str]]) -> None:
    """The table for people. Eighty columns hold it: long names break over lines, figures never."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in COLUMNS:
        long = name in ("release", "model")
        header = name.replace(" t/s", "\nt/s").replace("acceptance", "accep-\ntance")
        table.add_column(header, overflow="fold", no_wrap=not long, min_width=11 if long else None)
    for each in rows:
        table.add_row(*(Text(cell.replace("x [", "x\n[")) for cell in each))
    Console().print(table)
