"""key: the site's API key, shown or replaced."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from llamarig.api_key import disagreement
from llamarig.cli import deploy, runner
from llamarig.cli.inventory import inventory_argument
from llamarig.errors import UserError

SHOW = "llamarig.tasks.key.show"
ROTATE = "llamarig.tasks.key.rotate"


@click.group()
def key() -> None:
    """The API key that all hosts of a site ask for."""


@key.command()
@deploy.json_option
@inventory_argument
def show(inventory: Path, json_path: Path | None) -> None:
    """Print the key on stdout, and nothing else there. Exit 1 when hosts have different keys."""
    result = runner.run(inventory, SHOW)
    deploy.finish(result, json_path, changes=False)
    if result.secret is None:
        raise UserError(missing(result.hosts))
    print(result.secret)
    if sys.stdout.isatty() and sys.stderr.isatty():
        click.echo(usage(inventory), err=True)


def missing(hosts: dict[str, dict[str, Any]]) -> str:
    """Why there is no key to show."""
    digests = {name: entry["key_digest"] for name, entry in hosts.items() if "key_digest" in entry}
    if line := disagreement(digests):
        return line
    if not digests or any(digests.values()):
        return "the key could not be read, the lines above say why"
    return (
        "no host of this site has a key; `llamarig up` makes one, unless it is told "
        'api_key = "none" or bind = "localhost"'
    )


def usage(inventory: Path) -> str:
    """How a key is used without a process list showing it."""
    return (
        "llamarig: send it as `Authorization: Bearer KEY`, for example:\n"
        f"  llamarig key show {shlex.quote(str(inventory))} | sed 's/^/Authorization: Bearer /' | "
        "curl -s -H @- URL/v1/models"
    )


@key.command()
@deploy.json_option
@inventory_argument
def rotate(inventory: Path, json_path: Path | None) -> None:
    """Give all hosts a new key.

    Their servers restart, one after the other. Every host must be reached, else nothing is
    changed. Whatever stopped it: run it again."""
    result = runner.run(inventory, ROTATE)
    deploy.finish(result, json_path, changes=False)
    rotated = [name for name, entry in sorted(result.hosts.items()) if entry.get("key_rotated")]
    others = sorted(set(result.hosts) - set(rotated))
    if rotated and others:
        raise UserError(
            f"{', '.join(rotated)} got the new key, {', '.join(others)} not; run it again"
        )
    if not deploy.sound(result):
        sys.exit(1)
    print(f"{all_of(len(rotated))} the new key; `llamarig key show` prints it")


def all_of(count: int) -> str:
    return f"all {count} hosts have" if count > 1 else "the host has"
