"""The host's log of what was measured there: proofs, checks, benches, tunings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pyinfra.api.facts import FactBase

from llamarig.paths import MEASUREMENTS
from llamarig.tasks.facts import json_lines

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
        return json_lines.command(MEASUREMENTS, most, MOST_BYTES)

    def process(self, output: list[str]) -> MeasurementState:
        return MeasurementState(*json_lines.entries(output, _entry))


def _entry(found: Any) -> Entry:
    verdict, speedup = found.get("verdict"), found.get("speedup")
    return Entry(
        kind=_one_of(found["kind"], KINDS),
        finished=json_lines.number(found["finished"]),
        generation=json_lines.whole(found.get("generation")),
        # A bench has none.
        verdict=None if verdict is None else _one_of(verdict, VERDICTS),
        reason=json_lines.text(found.get("reason") or ""),
        speedup=None if speedup is None else json_lines.number(speedup),
        interval=_interval(found.get("interval")),
        record=found,
    )


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError
    return json_lines.text(value)


def _interval(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = value
    return json_lines.number(low), json_lines.number(high)
