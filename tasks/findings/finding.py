"""One finding about a host: what was seen, how bad it is, and the one thing that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation

Level = Literal["ok", "warning", "blocker"]


@dataclass(frozen=True)
class Finding:
    """level: a blocker stands in the deploy's way, a warning does not.

    topic: what it is about, the setting's key where one decides it (`hf_home`, `driver`).
    found: what was seen, as a phrase. fix: the one command or setting that mends it; empty for ok.
    """

    level: Level
    topic: str
    found: str
    fix: str = ""

    def line(self) -> str:
        """`topic: found; fix`, as a refusal says it."""
        return f"{self.topic}: {self.found}" + (f"; {self.fix}" if self.fix else "")


Rule = Callable[["Workstation", "Settings"], Iterator[Finding]]


def ok(topic: str, found: str) -> Finding:
    return Finding("ok", topic, found)


def warning(topic: str, found: str, fix: str) -> Finding:
    return Finding("warning", topic, found, fix)


def blocker(topic: str, found: str, fix: str) -> Finding:
    return Finding("blocker", topic, found, fix)
