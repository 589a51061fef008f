"""A part of a rollout: one run, what it leaves, and who shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from llamarig.rollout.entries import Hosts

LOOK, CANARY, STAGE, WAVE = "look", "canary", "stage", "wave"


@dataclass(frozen=True)
class Part:
    """One run. kind: look changes nothing, stage makes nothing live; title: what people read."""

    kind: str
    hosts: tuple[str, ...]
    title: str


class Ended(Protocol):
    """What a run left: the report's part of each host, and whether somebody stopped it."""

    @property
    def hosts(self) -> Hosts: ...

    @property
    def interrupted(self) -> bool: ...


class View(Protocol):
    """Who shows a rollout as it goes."""

    def begin(self, part: Part) -> None: ...

    def ended(self, part: Part, hosts: Hosts) -> None: ...

    def say(self, line: str) -> None: ...


@dataclass(frozen=True)
class Wave:
    """A part that is over. failed: hosts of it that got no further."""

    kind: str
    hosts: list[str]
    seconds: float
    failed: list[str]
