"""A rollout: look at all hosts, deploy to canaries, stage the others at once, then wave by wave.

Every part is one run of the story over some hosts. What it finds decides about the next part, so a
rollout that was stopped or killed is continued by beginning anew: what is done is settled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from llamarig import report
from llamarig.rollout import words
from llamarig.rollout.entries import Hosts, merged, settled
from llamarig.rollout.parts import CANARY, LOOK, STAGE, WAVE, Ended, Part, View, Wave
from llamarig.rollout.waves import Limits, size, split, waves


@dataclass
class Rollout:
    """hosts: name to the report's part, of all hosts; left: those that nothing was proven on,
    since the rollout stopped before their turn; stopped: why, None: it went to its end."""

    names: Sequence[str]
    limits: Limits
    run: Callable[[Part], Ended]
    view: View
    hosts: Hosts = field(default_factory=dict)
    parts: list[Wave] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    stopped: str | None = None
    interrupted: bool = False

    def go(self) -> None:
        """From the first look to the last wave, or until it stops itself."""
        looked = self._part(LOOK, self.names, f"look at {words.hosts(len(self.names))}")
        self.left = [name for name in self.names if not _decided(looked, name)]
        self.hosts = {name: report.empty() if name in self.left else looked[name]
                      for name in self.names}  # fmt: skip
        if self.interrupted or not self.left:
            return
        self.view.say(self._found())
        canaries, others = split(self.left, self.limits.canary)
        while canaries:
            failed = self._wave(CANARY, canaries, f"canary: {words.some(canaries)}")
            if self.interrupted:
                return
            if self._lost(failed):
                self._stop("a canary failed" if len(canaries) > 1 else "the canary failed")
                return
            # Who went away since the look was no canary: others go first in their place.
            canaries, others = split(others, len(failed))
        self._others(others)

    def _lost(self, failed: list[str]) -> list[str]:
        """Of those that failed, the hosts that could be reached: nothing was touched on others."""
        return [name for name in failed if not self.hosts[name].get("unreachable")]

    def _others(self, names: list[str]) -> None:
        each = size(self.limits.batch, len(self.names))
        if len(names) > each:
            failed = self._wave(STAGE, names, f"stage {words.hosts(len(names))}")
            # Nothing that serves was touched there, so this stops nobody else.
            names = [name for name in names if name not in failed]
        groups = waves(names, each)
        lost: list[str] = []
        for number, group in enumerate(groups, 1):
            if self.interrupted:
                return
            title = f"wave {number} of {len(groups)}: {words.some(group)}"
            lost += self._lost(self._wave(WAVE, group, title))
            if len(lost) > self.limits.max_failures and number < len(groups):
                self._stop(f"{words.hosts(len(lost))} failed in waves")
                return

    def _wave(self, kind: str, names: list[str], title: str) -> list[str]:
        """Run a part that may change hosts; who failed in it."""
        found = self._part(kind, names, title)
        for name in names:
            before = self.hosts[name]
            self.hosts[name] = merged(before, found.get(name) or report.empty())
            if kind != STAGE and not self.interrupted:
                self.hosts[name]["settled"] = not report.sick(self.hosts[name])
        failed = self.parts[-1].failed
        over = failed if kind == STAGE or self.interrupted else names
        self.left = [name for name in self.left if name not in over]
        return failed

    def _part(self, kind: str, names: Sequence[str], title: str) -> Hosts:
        part = Part(kind, tuple(names), title)
        self.view.begin(part)
        begun = time.monotonic()
        ended = self.run(part)
        seconds = round(time.monotonic() - begun, 1)
        failed = [name for name in names if report.sick(ended.hosts.get(name) or report.empty())]
        self.parts.append(Wave(kind, list(names), seconds, failed))
        self.interrupted = ended.interrupted
        self.view.ended(part, ended.hosts)
        return ended.hosts

    def _found(self) -> str:
        """What the look came to: `something to do on 21 of 24 hosts; 1 can't take part`."""
        out = sum(map(report.sick, self.hosts.values()))
        more = f"; {out} can't take part" if out else ""
        return f"something to do on {len(self.left)} of {words.hosts(len(self.names))}{more}"

    def _stop(self, why: str) -> None:
        if self.left:
            self.stopped = why
            self.view.say(f"stopped: {why}; {words.hosts(len(self.left))} left as they are")

    def record(self) -> dict[str, Any]:
        """The rollout as the run report has it."""
        return {
            "waves": [asdict(each) for each in self.parts],
            "stopped": self.stopped,
            "left": self.left,
        }


def _decided(looked: Hosts, name: str) -> bool:
    """Whether a look settled what becomes of a host: nothing to do, or nothing that can be done."""
    entry = looked.get(name) or report.empty()
    return settled(entry) or report.sick(entry)
