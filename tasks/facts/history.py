"""The host's own history of what became current there, or did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyinfra.api.facts import FactBase

from llamarig.paths import HISTORY
from llamarig.tasks.facts import json_lines

MOST_LINES = 50
# No line that llamarig writes comes near; a file of one endless line ends here.
MOST_BYTES = 262144


@dataclass(frozen=True)
class Entry:
    """when: epoch seconds; generation, previous: None where there was none; down_seconds: without
    a healthy server, None where nothing served before."""

    when: float
    who: str
    action: str
    generation: int | None
    previous: int | None
    settings: str | None
    result: str
    reason: str
    down_seconds: float | None


@dataclass(frozen=True)
class HistoryState:
    """The newest entries, oldest first; broken: lines among them that are not ours or not whole."""

    entries: tuple[Entry, ...] = ()
    broken: int = 0


class History(FactBase[HistoryState]):
    """The last MOST_LINES lines of the history."""

    @staticmethod
    def default() -> HistoryState:
        return HistoryState()

    def command(self) -> str:
        return json_lines.command(HISTORY, MOST_LINES, MOST_BYTES)

    def process(self, output: list[str]) -> HistoryState:
        return HistoryState(*json_lines.entries(output, _entry))


def _entry(found: Any) -> Entry:
    settings, down = found.get("settings"), found.get("down_seconds")
    return Entry(
        when=json_lines.number(found["when"]),
        who=json_lines.text(found["who"]),
        action=json_lines.text(found["action"]),
        generation=json_lines.whole(found.get("generation")),
        previous=json_lines.whole(found.get("previous")),
        settings=None if settings is None else json_lines.text(settings),
        result=json_lines.text(found["result"]),
        reason=json_lines.text(found.get("reason") or ""),
        down_seconds=None if down is None else json_lines.number(down),
    )
