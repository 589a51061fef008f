"""The host's own history of what became current there, or did not."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from pyinfra.api.facts import FactBase

from llamarig.paths import HISTORY

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
        # Bytes last: of a line that is cut the rest counts as broken.
        return f"tail -n {MOST_LINES} {HISTORY} 2>/dev/null | tail -c {MOST_BYTES}; true"

    def process(self, output: list[str]) -> HistoryState:
        lines = [line for line in output if line.strip()]
        entries = [entry for entry in map(_entry, lines) if entry is not None]
        return HistoryState(tuple(entries), len(lines) - len(entries))


def _entry(line: str) -> Entry | None:
    """One line, None if it is broken: a power cut, a full disk or a hand may have cut it."""
    try:
        found = json.loads(line)
        return Entry(
            when=_number(found["when"]),
            who=_text(found["who"]),
            action=_text(found["action"]),
            generation=_whole(found.get("generation")),
            previous=_whole(found.get("previous")),
            settings=None if found.get("settings") is None else _text(found["settings"]),
            result=_text(found["result"]),
            reason=_text(found.get("reason") or ""),
            down_seconds=_maybe(found.get("down_seconds")),
        )
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError):
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _maybe(value: Any) -> float | None:
    return None if value is None else _number(value)


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value
