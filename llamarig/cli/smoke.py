"""smoke: what is live, measured again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llamarig.cli import deploy, details, junit, runner, table
from llamarig.cli.status_lines import ago
from llamarig.display import plain
from llamarig.errors import UserError

LIVE = "llamarig.tasks.smoke.run"
FULL = "llamarig.tasks.smoke.full"
# tasks/smoke.py reads it; its own name for it is not loaded here, for a light --help.
MIN_SPEEDUP = "_min_speedup"


def gate(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """The number of --min-speedup, as the setting min_speedup takes it.

    Raises:
        UserError: it is none.
    """
    if value is None:
        return None
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 1 < found <= 10:
        raise UserError(f"--min-speedup {value}: a number above 1 and at most 10 expected")
    return found


@click.command()
@click.option(
    "--full",
    is_flag=True,
    help="Measure both arms anew; what is live does not serve meanwhile, for minutes.",
)
@click.option(
    "--min-speedup",
    metavar="RATIO",
    callback=gate,
    help="The gate of this run, instead of the setting min_speedup.",
)
@junit.option
@deploy.options
def smoke(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...], full: bool,
    min_speedup: float | None, junit_path: Path | None,
) -> None:  # fmt: skip
    """Measure what is live as it serves, against the gate.

    Users go first, nothing is stopped. It is compared with the baseline that was recorded when it
    was proven.

    \b
    Exit status: 0  every host reaches the gate
                 1  some host misses it, or something went wrong
                 3  some host stays undecided, and nothing else is wrong
    """
    data = {} if min_speedup is None else {MIN_SPEEDUP: str(min_speedup)}
    result = runner.run(inventory, FULL if full else LIVE, limit=limit, data=data)
    try:
        if junit_path is not None:
            junit.write(junit_path, result.hosts)
    finally:
        deploy.finish(result, json_path)
    table.show(result.hosts)
    for name, entry in sorted(result.hosts.items()):
        details.show(plain(name), entry.get("smoke") or {})
        for line in said(entry):
            print(f"{plain(name)}: {plain(line)}")
    sys.exit(deploy.status(result, deploy.proven(result)))


def said(entry: dict[str, Any]) -> list[str]:
    """What a host's figures have to be read with."""
    record = entry.get("smoke") or {}
    origin = record.get("baseline")
    lines = [f"{record['verdict']}: {record['reason']}"] if record.get("reason") else []
    if origin and record.get("speedup") is not None:
        age = (
            "?" if origin.get("finished") is None else ago(record["finished"] - origin["finished"])
        )
        lines.append(
            f"measured as it served, against the baseline recorded {age} ago with the proof of "
            f"generation {origin.get('generation')}; --full measures both anew"
        )
    return lines
