"""rollback: serve a generation from before, proven on the host already."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from llamarig.cli import deploy, runner, table

ROLLBACK = "llamarig.tasks.rollback.run"
# tasks/rollback.py reads it; its own name for it is not loaded here, for a light --help.
TO = "_rollback_to"


@click.command()
@click.option("--to", type=click.IntRange(min=1), metavar="N",
              help="The generation; without it the one that was live before.")  # fmt: skip
@deploy.options
def rollback(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...], to: int | None
) -> None:
    """Serve the generation from before, at once.

    It was proven on the host. `up` goes forward again, to what the settings ask for."""
    data = {} if to is None else {TO: str(to)}
    result = runner.run(inventory, ROLLBACK, limit=limit, data=data)
    deploy.finish(result, json_path)
    table.show(result.hosts)
    for name, entry in sorted(result.hosts.items()):
        print(deploy.summary(name, entry))
    if deploy.sound(result):
        print(
            "the settings are as before, and the next `llamarig up` follows them: change them "
            "first; `llamarig plan` shows what it would do"
        )
    sys.exit(0 if deploy.sound(result) else 1)
