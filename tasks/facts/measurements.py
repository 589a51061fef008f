"""The host's log of what was measured there: proofs, checks, benches, tunings."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api.facts import FactBase

from llamarig.paths import MEASUREMENTS

MOST_LINES = 500
# Five times what as many records usually have; a file of one endless line ends here.
MOST_BYTES = 8 * 2**20
KINDS = ("proof", "smoke", "live", "check", "bench", "tune")
VERDICTS = ("pass", "fail", "undecided")


@dataclass(frozen=True)
class Entry:
    """One measurement. finished: epoch seconds; speedup, interval: None where none came out.
    record: all that was written down, as llamarig/onhost/measurements.py keeps it."""

    kind: str
    finished: float
    generation: int | None
    verdict: str | None
    reason: str
    speedup: float | None
    interval: tuple[float, float] | None
    record: dict[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True)
class MeasurementState:
    """The newest entries, oldest first; broken: lines among them that are not ours or not whole."""

    entries: tuple[Entry, ...] = ()
    broken: int = 0

    def newest(self, *kinds: str) -> Entry | None:
        """The last one of these kinds."""
        return next((each for each in reversed(self.entries) if each.kind in kinds), None)


class Measurements(FactBase[MeasurementState]):
    """The last `most` lines of the log."""

    @staticmethod
    def default() -> MeasurementState:
        return MeasurementState()

    def command(self, most: int = MOST_LINES) -> str:
        # Bytes last: of a line that is cut the rest counts as broken.
        return f"tail -n {most} {MEASUREMENTS} 2>/dev/null | tail -c {MOST_BYTES}; true"

    def process(self, output: list[str]) -> MeasurementState:
        lines = [line for line in output if line.strip()]
        entries = [entry for entry in map(_entry, lines) if entry is not None]
        return MeasurementState(tuple(entries), len(lines) - len(entries))


def _entry(line: str) -> Entry | None:
    """One line, None if it is broken: a power cut, a full disk or a hand may have cut it."""
    try:
        found = json.loads(line)
        return Entry(
            kind=_one_of(found["kind"], KINDS),
            finished=_number(found["finished"]),
            generation=_whole(found.get("generation")),
            # A bench has none.
            verdict=None if found.get("verdict") is None else _one_of(found["verdict"], VERDICTS),
            reason=_text(found.get("reason") or ""),
            speedup=None if found.get("speedup") is None else _number(found["speedup"]),
            interval=_interval(found.get("interval")),
            record=found,
        )
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError):
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError
    return _text(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _interval(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = value
    return _number(low), _number(high)
