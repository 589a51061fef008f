"""up: deploy to every host of an inventory; to several as a rollout that stops itself."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from llamarig.cli import checks, deploy, junit, rolling, runner, table
from llamarig.cli.program import typed
from llamarig.cli.token import token_option
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.rollout import waves
from llamarig.rollout.words import some

# tasks/operations/host_lock.py reads it.
BREAK_LOCK = "_break_lock"
MOST = click.IntRange(0, 1000)


def _share(context: click.Context, option: click.Parameter, text: str | None) -> int | str | None:
    try:
        return None if text is None else waves.share(text)
    except ValueError as error:
        raise UserError(f"--batch {shlex.quote(text or '')}: {error}") from None


@click.command()
@token_option
@click.option(
    "--canary",
    type=MOST,
    metavar="N",
    help="Hosts that go first, alone; instead of rollout_canary.",
)
@click.option(
    "--batch",
    metavar="N|P%",
    callback=_share,
    help="Hosts of a wave, a count or a share of all; instead of rollout_batch.",
)
@click.option(
    "--max-failures",
    type=MOST,
    metavar="N",
    help="Hosts of waves that may fail; one more stops it. Instead of rollout_max_failures.",
)
@click.option("--exclude", multiple=True, help="Not these hosts or groups (repeatable).")
@click.option(
    "--break-lock",
    is_flag=True,
    help="Take the lock of a run that no longer renews it, after saying whose it was.",
)
@junit.option
@deploy.options
def up(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...], exclude: tuple[str, ...],
    canary: int | None, batch: int | str | None, max_failures: int | None, break_lock: bool,
    junit_path: Path | None,
) -> None:  # fmt: skip
    """Deploy: build, download, prove on the host, then go live.

    Several hosts are a rollout: it looks which of them have something to do, deploys to a canary,
    stages all others at once, and proves and switches them in waves. What fails stops it before
    the next wave; running it again goes on.

    \b
    Exit status: 0  every host serves what was proven on it, or what on_gate_fail keeps
                 1  something went wrong on some host
                 3  some host stays undecided, and nothing else is wrong
    """
    site, hosts = checks.check(inventory, limit, exclude)
    data = {BREAK_LOCK: "1"} if break_lock else {}
    if len(hosts) == 1:
        only = tuple(map(checks.exactly, hosts)) if exclude else limit
        result = runner.run(inventory, checks.DEPLOY, limit=only, data=data, checked=(site, hosts))
    else:
        limits = waves.limits(checks.settings(site, hosts)[0], canary, batch, max_failures)
        result = rolling.roll(inventory, site, hosts, limits, data)
    _finish(inventory, result, json_path, junit_path)
    sys.exit(status(result))


def _finish(
    inventory: Path, result: runner.Result, json_path: Path | None, junit_path: Path | None
) -> None:
    """Reports, the table, and what comes next; an interrupted run ends in it."""
    left = _left(result)
    try:
        if junit_path is not None:
            junit.write(junit_path, reached(result), "up")
    finally:
        if result.interrupted and left:
            click.echo(f"llamarig: left as they are: {some(left, 12)}", err=True)
        deploy.finish(result, json_path)
    table.show(result.hosts)
    for name, entry in sorted(result.hosts.items()):
        if name not in left:
            print(plain(deploy.summary(name, entry)))
    for line in rolling.ending(result, f"{typed()} {shlex.join(sys.argv[1:])}"):
        print(plain(line))
    if deploy.deployed(result) and any(entry["changed"] for entry in result.hosts.values()):
        path = shlex.quote(str(inventory))
        print(f"next: {typed()} status {path}; the servers' key: {typed()} key show {path}")


def status(result: runner.Result) -> int:
    """The exit status. Hosts that a rollout left alone are no other fault than what stopped it."""
    left = _left(result)
    others = {name: entry for name, entry in result.hosts.items() if name not in left}
    return deploy.status(runner.Result(others), deploy.deployed(result))


def _left(result: runner.Result) -> list[str]:
    return list((result.rollout or {}).get("left", []))


def reached(result: runner.Result) -> dict[str, dict[str, Any]]:
    """The hosts, and of those that a rollout left alone the reason."""
    why = {"problems": ["left as it is: the rollout stopped before its turn"]}
    left = _left(result)
    return {name: {**entry, **(why if name in left else {})} for name, entry in
            result.hosts.items()}  # fmt: skip
