"""report: what every host measured over time, as one page, and who differs from its like."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig.cli import deploy, runner, table
from llamarig.display import plain
from llamarig.errors import UserError

REPORT = "llamarig.tasks.report.run"
# What breaks over lines, so that eighty columns hold the rest.
FOLDED = ("host", "device")


@click.command()
@click.option("--out", metavar="FILE", callback=deploy.writable, help="Write a page of HTML there.")
@deploy.options
def report(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...], out: Path | None
) -> None:
    """Show the newest measurement of every host, and outliers.

    An outlier differs from its like: the same card and recipe. Changes nothing; --out writes a
    page with each host over time."""
    result = runner.run(inventory, REPORT, limit=limit)
    # Drawing takes a second to import, and no other command draws.
    from llamarig.reports import collect, fleet

    hosts = collect.hosts(result.hosts)
    odd = collect.odd(hosts)
    for each in odd:
        result.hosts[each.host].setdefault("outliers", []).append(fleet.line(each))
    deploy.finish(result, json_path, changes=False)
    show([list(map(plain, row)) for row in (fleet.COLUMNS, *map(fleet.cells, hosts))])
    for line in [*fleet.notes(hosts), *(f"outlier: {fleet.line(each)}" for each in odd)]:
        print(plain(line))
    if out is not None:
        _write(out, fleet.html(result.hosts))
    sys.exit(0 if deploy.sound(result) else 1)


def show(lines: list[list[str]]) -> None:
    """Drawn on a terminal, where eighty columns hold it since names break over lines; columns of
    plain text elsewhere."""
    if not sys.stdout.isatty():
        table.columns(lines)
        return
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in _narrow(lines[0]):
        drawn.add_column(column, overflow="fold", no_wrap=column not in FOLDED)
    for row in lines[1:]:
        cells = list(map(Text, _narrow(row)))
        cells[-1].stylize({"pass": "green", "fail": "red", "undecided": "yellow"}.get(row[-1], ""))
        drawn.add_row(*cells)
    Console().print(drawn)


def _narrow(row: list[str]) -> list[str]:
    """Without the acceptance; date above time, the speedup above its interval."""
    host, kind, when, device, without, mtp, speedup, interval, _, verdict = row
    ends = "" if interval == speedup else f"\n{interval}"
    return [host, kind, when.replace(" ", "\n"), device, without, mtp, f"{speedup}{ends}", verdict]


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror}; the figures are above") from None
    print(f"wrote {out}")
