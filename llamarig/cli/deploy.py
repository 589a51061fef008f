"""plan; and for every command that runs a story: its options, its report, its exit status."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from llamarig import report
from llamarig.cli import checks, planned, runner, table
from llamarig.cli.inventory import inventory_argument
from llamarig.cli.token import token_option
from llamarig.errors import UserError

INTERRUPTED = 130
UNDECIDED = 3


def writable(context: click.Context, option: click.Parameter, name: str | None) -> Path | None:
    """Refuse at once what could not be written after an hour's deploy."""
    if name is None:
        return None
    path = Path(name)
    try:
        there = path.exists()
        if not path.is_fifo():  # whose reader may come later
            path.open("a").close()
        if not there:
            path.unlink()
    except OSError as error:
        reason = f"{error.strerror}; name a file that can be written"
        raise UserError(f"{option.opts[0]} {shlex.quote(name)}: {reason}") from None
    return path


json_option = click.option(
    "--json", "json_path", metavar="FILE", callback=writable,
    help="Write the run report there.",
)  # fmt: skip
_limit = click.option("--limit", multiple=True, help="Only these hosts or groups (repeatable).")


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    return _limit(json_option(inventory_argument(command)))


@click.command()
@token_option
@options
def plan(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Show what `up` would do. Changes nothing."""
    result = runner.run(inventory, checks.DEPLOY, dry=True, limit=limit)
    finish(result, json_path, changes=False)
    for name, entry in sorted(result.hosts.items()):
        if report.sick(entry):
            continue
        planned.show(name, entry)
    sys.exit(0 if sound(result) else 1)


def finish(result: runner.Result, json_path: Path | None, *, changes: bool = True) -> None:
    """Write the report; an interrupted run ends here. changes: it may have started jobs.

    Raises:
        UserError: the report could not be written, though the run is over.
    """
    if result.interrupted:
        more = "; jobs that run on hosts go on, the same command joins them" if changes else ""
        click.echo(f"\nllamarig: stopped{more}", err=True)
    write(result.hosts, json_path, result.rollout)
    if result.interrupted:
        sys.exit(INTERRUPTED)


def write(
    hosts: dict[str, dict[str, Any]],
    json_path: Path | None,
    rollout: dict[str, Any] | None = None,
) -> None:
    """The run report as a file, if one was asked for.

    Raises:
        UserError: it could not be written.
    """
    if json_path is not None:
        document = {"hosts": hosts, **({"rollout": rollout} if rollout else {})}
        text = json.dumps(document, indent=2, sort_keys=True) + "\n"
        try:
            json_path.write_text(text)
        except OSError as error:
            raise UserError(
                f"--json {json_path}: {error.strerror}; the run itself is over, `status` shows it"
            ) from None


def status(result: runner.Result, well: bool) -> int:
    """A command's exit status: 0 if all is well, UNDECIDED where all that is wrong is that the
    gate stayed undecided on some host, else 1."""
    if well:
        return 0
    bad = [each for each in result.hosts.values() if table.verdict(each) not in ("pass", "kept")]
    return UNDECIDED if bad and all(each.get("undecided") for each in bad) else 1


def sound(result: runner.Result) -> bool:
    """Every host was reached, none refused, nothing failed."""
    return not any(map(report.sick, result.hosts.values()))


def proven(result: runner.Result) -> bool:
    """Every host of the run has a proof that passed, and nothing failed on it."""
    return sound(result) and all(table.verdict(each) == "pass" for each in result.hosts.values())


def deployed(result: runner.Result) -> bool:
    """Every host serves what was proven there, or what on_gate_fail keeps below the gate."""
    return sound(result) and all(
        table.verdict(each) in ("pass", "kept") for each in result.hosts.values()
    )


def summary(name: str, entry: dict[str, Any]) -> str:
    where = f"  {entry['url']}" if entry.get("url") else ""
    kept = ", kept below the gate (on_gate_fail)" if table.verdict(entry) == "kept" else ""
    return f"{name}: {report.outcome(entry)}{kept}{where}"
