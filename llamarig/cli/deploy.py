"""plan, up and smoke: a deploy against an inventory, and what became of every host."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from llamarig import report
from llamarig.cli import checks, runner, table
from llamarig.cli.inventory import inventory_argument
from llamarig.errors import UserError

INTERRUPTED = 130
SMOKE = "llamarig.tasks.smoke.run"


def _writable(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse at once what could not be written after an hour's deploy."""
    if path is not None and (path.is_dir() or not os.access(path.absolute().parent, os.W_OK)):
        raise UserError(f"--json {path}: can't be written, name a file in an existing folder")
    return path


json_option = click.option(
    "--json", "json_path", type=click.Path(path_type=Path), callback=_writable,
    help="Write the run report there.",
)  # fmt: skip
_limit = click.option("--limit", multiple=True, help="Only these hosts or groups (repeatable).")


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    return _limit(json_option(inventory_argument(command)))


@click.command()
@options
def plan(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Show what `up` would do. Changes nothing."""
    result = runner.run(inventory, checks.DEPLOY, dry=True, limit=limit)
    finish(result, json_path)
    for name, entry in sorted(result.hosts.items()):
        if entry["problems"]:
            continue
        titles = [each["name"] for each in result.plan if name in each["hosts_with_change"]]
        print(f"{name}: {len(titles) or 'no'} operation(s) would change something")
        for title in titles:
            print(f"    {title}")
    sys.exit(0 if sound(result) else 1)


@click.command()
@options
def up(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Deploy: build, download, prove on the host, and only then go live."""
    result = runner.run(inventory, checks.DEPLOY, limit=limit)
    finish(result, json_path)
    table.show(result.hosts)
    for name, entry in sorted(result.hosts.items()):
        print(_summary(name, entry))
    sys.exit(0 if proven(result) else 1)


@click.command()
@options
def smoke(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Measure what is live again. It does not serve while it is measured (about a minute)."""
    result = runner.run(inventory, SMOKE, limit=limit)
    finish(result, json_path)
    table.show(result.hosts)
    sys.exit(0 if proven(result) else 1)


def finish(result: runner.Result, json_path: Path | None) -> None:
    """Write the report; an interrupted run ends here."""
    if json_path is not None:
        json_path.write_text(json.dumps({"hosts": result.hosts}, indent=2, sort_keys=True) + "\n")
    if result.interrupted:
        click.echo("\nllamarig: stopped; jobs that run on hosts go on, `up` joins them", err=True)
        sys.exit(INTERRUPTED)


def sound(result: runner.Result) -> bool:
    """Every host was reached, none refused, nothing failed."""
    return all(not entry["problems"] and not entry["failed"] for entry in result.hosts.values())


def proven(result: runner.Result) -> bool:
    """Every host of the run has a proof that passed, and nothing failed on it."""
    return sound(result) and all(
        (entry.get("smoke") or {}).get("verdict") == "pass" for entry in result.hosts.values()
    )


def _summary(name: str, entry: dict[str, Any]) -> str:
    where = f"  {entry['url']}" if entry.get("url") else ""
    return f"{name}: {report.outcome(entry)}{where}"
