"""The runs of a rollout: each a run of the site's story over some hosts, shown as one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from llamarig import report
from llamarig.cli import checks, runner, table
from llamarig.cli.board import Board
from llamarig.cli.inventory import HostData
from llamarig.cli.rollout_view import Lines
from llamarig.rollout.entries import cause
from llamarig.rollout.flow import Rollout
from llamarig.rollout.parts import LOOK, STAGE, Part
from llamarig.rollout.waves import Limits
from llamarig.rollout.words import some
from llamarig.typed_password import Typed

# tasks/part.py reads them; its own names for them are not loaded here, for a light --help.
UNTIL = {LOOK: {"_until": "look"}, STAGE: {"_until": "stage"}}
AFTER = {"_after": "look"}


def roll(
    inventory: Path,
    site: Path,
    hosts: Mapping[str, HostData],
    limits: Limits,
    data: Mapping[str, str],
) -> runner.Result:
    """Deploy to several hosts, in the order of the inventory; one result over all runs.

    hosts: those of the rollout, checked; data: what every run that may change hosts is told.
    """
    names, typed = list(hosts), Typed()
    chosen: AbstractContextManager[Board | Lines] = (
        Board(names) if sys.stderr.isatty() else nullcontext(Lines())
    )
    with chosen as view:

        def run(part: Part) -> runner.Result:
            return runner.run(
                inventory,
                checks.DEPLOY,
                dry=part.kind == LOOK,
                limit=tuple(map(checks.exactly, part.hosts)),
                data=told(part, data),
                checked=(site, {name: hosts[name] for name in part.hosts}),
                watcher=view,
                typed=typed,
            )

        rollout = Rollout(names, limits, run, view)
        rollout.go()
    return runner.Result(rollout.hosts, rollout.interrupted, rollout=rollout.record())


def told(part: Part, data: Mapping[str, str]) -> dict[str, str]:
    """What a run is told besides its hosts' data."""
    if part.kind == LOOK:
        return dict(UNTIL[LOOK])
    return {**data, **UNTIL.get(part.kind, {}), **AFTER}


def _how(entry: dict[str, Any]) -> str:
    """The table's word before the cause; that of an unreachable host says it itself."""
    return "" if entry.get("unreachable") else f"{table.verdict(entry)}: "


def ending(result: runner.Result, words: str) -> list[str]:
    """The lines after a rollout's table: why hosts failed, who was not reached, what is next.

    words: the command line that was typed.
    """
    rollout: dict[str, Any] = result.rollout or {}
    failed = [name for name, entry in result.hosts.items() if report.sick(entry)]
    lines = [f"{name}: {_how(result.hosts[name])}{cause(result.hosts[name])}" for name in failed]
    left = rollout.get("left") or []
    if left:
        why = f", {rollout['stopped']}" if rollout.get("stopped") else ""
        lines.append(f"left as they are{why}: {some(left, 12)}")
    if failed or left:
        lines.append(f"next: mend what the lines above name, then again, it goes on: {words}")
    if failed and left:
        without = " ".join(f"--exclude {shlex.quote(name)}" for name in failed)
        lines.append(f"or go on without {some(failed)}: {words} {without}")
    return lines
