"""status: what every host serves, since when, and how old its proof is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llamarig.cli import deploy, runner, table

STATUS = "llamarig.tasks.status.run"


@click.command()
@deploy.options
def status(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Show what every host serves. Changes nothing; exit 1 when a host does not serve."""
    result = runner.run(inventory, STATUS, limit=limit)
    deploy.finish(result, json_path, changes=False)
    table.show(result.hosts)
    for name, entry in sorted(result.hosts.items()):
        print(f"{name}: {_line(entry)}")
    serving = all(entry.get("service") == "active" for entry in result.hosts.values())
    sys.exit(0 if serving and deploy.sound(result) else 1)


def _line(entry: dict[str, Any]) -> str:
    if entry["problems"]:
        return "not known, see above"
    if "service" not in entry:
        return "not reached"
    if entry["service"] != "active":
        return f"not serving (llama-server.service is {entry['service']})"
    since = f"since {entry['since']}" if entry.get("since") else ""
    age = entry.get("proof_age_seconds")
    proof = "no proof" if age is None else f"proven {_ago(age)} ago"
    return f"generation {entry.get('generation', '?')} serves {since}, {proof}, " + (
        f"{entry['restarts']} restart(s)"
    )


def _ago(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
