"""down: llamarig taken away from hosts, the service alone or all of it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from llamarig.cli import deploy, down_listing, inventory, runner
from llamarig.cli.checks import named
from llamarig.cli.terminal import can_ask
from llamarig.display import plain
from llamarig.errors import UserError

LOOK, REMOVE = "look", "remove"
STORIES = {
    (LOOK, False, False): "llamarig.tasks.down.look",
    (LOOK, True, False): "llamarig.tasks.down.look_purge",
    (LOOK, True, True): "llamarig.tasks.down.look_purge_with_model",
    (REMOVE, False, False): "llamarig.tasks.down.service",
    (REMOVE, True, False): "llamarig.tasks.down.purge",
    (REMOVE, True, True): "llamarig.tasks.down.purge_with_model",
}


@click.command()
@deploy.options
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("--all", "everyone", is_flag=True, help="Every host of the inventory.")
@click.option("--purge", is_flag=True,
              help="Also releases, packages, user, caches: all of llamarig's.")  # fmt: skip
@click.option("--with-model", is_flag=True,
              help="With --purge: also the model files that llamarig brought.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Don't ask.")
def down(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...], hosts: tuple[str, ...],
    everyone: bool, purge: bool, with_model: bool, yes: bool,
) -> None:  # fmt: skip
    """Stop serving, or with --purge leave nothing of llamarig there.

    On HOSTs, groups or --all; what was opened in a firewall is closed. Lists what goes and asks
    first."""
    if with_model and not purge:
        raise UserError("--with-model: goes with --purge; without it the model stays for `up`")
    chosen = _chosen(inventory, (*limit, *hosts), everyone)
    looked = runner.run(inventory, STORIES[LOOK, purge, with_model], limit=chosen)
    deploy.finish(looked, json_path, changes=False)
    down_listing.show(looked.hosts, purge=purge)
    busy = tuple(name for name, entry in sorted(looked.hosts.items()) if _goes(entry))
    if not busy:
        sys.exit(0 if deploy.sound(looked) else 1)
    _agree(busy, yes=yes)
    done = runner.run(inventory, STORIES[REMOVE, purge, with_model], limit=busy)
    for name in busy:
        # What was listed, which the records of a purged host don't say any more.
        after = done.hosts[name].get("down") or {}
        listed = {**looked.hosts[name]["down"], "removed": bool(after.get("removed"))}
        done.hosts[name]["down"] = listed
    everything = runner.Result({**looked.hosts, **done.hosts}, done.interrupted)
    deploy.finish(everything, json_path, changes=False)
    for name in busy:
        print(plain(f"{name}: {down_listing.outcome(done.hosts[name])}"))
    sys.exit(0 if deploy.sound(everything) else 1)


def _chosen(path: Path, patterns: tuple[str, ...], everyone: bool) -> tuple[str, ...]:
    """The --limit of a run.

    Raises:
        UserError: nobody is named, or somebody who is not in the inventory.
    """
    if everyone and patterns:
        raise UserError("--all: names every host already; leave it or the hosts out")
    if not everyone and not patterns:
        raise UserError(f"no host named; `llamarig down {shlex.quote(str(path))} HOST` or --all")
    known = inventory.load(path)
    unknown = [
        each for each in patterns if not any(named(host, (each,)) for host in known.values())
    ]
    if unknown:
        groups = sorted({group for each in known.values() for group in each.groups})
        raise UserError(
            f"{', '.join(unknown)}: no host and no group of {path} (hosts: {', '.join(known)}; "
            f"groups: {', '.join(groups) or 'none'})"
        )
    return patterns


def _agree(names: tuple[str, ...], *, yes: bool) -> None:
    """Go on only if the user wants it.

    Raises:
        UserError: they don't, or nobody is there to ask.
    """
    if yes:
        return
    if not can_ask():
        raise UserError("nothing was changed: there is no terminal to ask at; to do it, add --yes")
    hosts = names[0] if len(names) == 1 else f"{len(names)} hosts"
    if not click.confirm(f"Take that away from {hosts}?", default=False):
        raise UserError("nothing was changed")


def _goes(entry: dict[str, Any]) -> list[dict[str, Any]]:
    return list((entry.get("down") or {}).get("goes", []))
