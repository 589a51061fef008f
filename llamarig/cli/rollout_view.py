"""A rollout as plain lines, where there is no terminal; and what both views leave out."""

from __future__ import annotations

import re
import sys
from typing import Any

from llamarig.display import plain
from llamarig.rollout.entries import Hosts
from llamarig.rollout.parts import Part

# What pyinfra says at every run, of every host.
_ROUTINE = re.compile(
    r"--> (?!.*\berror\b)|\s*\[[^\]]*\] (Connected|Ready: .*)$|\s*Loading: |\s*$|"
    r"\s*\[[^\]]*\] Error: executed \d+ commands$"
)


def routine(line: str) -> bool:
    """Whether a line of a run says nothing that a rollout's reader lacks."""
    return _ROUTINE.match(line) is not None


class Lines:
    """The lines of all runs, one after the other, with a line where each begins."""

    progress = False

    def say(self, line: str) -> None:
        print(f"llamarig: {plain(line)}", file=sys.stderr, flush=True)

    def begin(self, part: Part) -> None:
        self.say(part.title)

    def ended(self, part: Part, hosts: Hosts) -> None:
        """The hosts' own lines have said it."""

    def line(self, text: str) -> None:
        if not routine(text):
            print(text, file=sys.stderr, flush=True)

    def hosts(self, hosts: dict[str, dict[str, Any]]) -> None:
        """Nothing: the lines say it."""

    def tick(self) -> None:
        """Nothing: lines are shown as they come."""
