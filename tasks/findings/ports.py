"""The server's port: free, ours, or somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.paths import LIVE_UNIT
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation


def port(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    # One line for a program that listens on several addresses.
    others = dict.fromkeys(each for each in seen.listeners if each.unit != LIVE_UNIT)
    for each in others:
        yield blocker(
            "port",
            f"{settings.port} is taken by {each.program} (pid {each.pid})",
            "stop it or set another port",
        )
    if not others:
        state = f"served by our own {LIVE_UNIT}" if seen.listeners else "free"
        yield ok("port", f"{settings.port} is {state}")


RULES: tuple[Rule, ...] = (port,)
