"""How the last check of what serves went, and whether one is overdue: for `llamarig status`."""

from __future__ import annotations

from typing import Any

from pyinfra.context import host

from llamarig.settings import Settings
from llamarig.tasks.check_files import PERIOD_SECONDS
from llamarig.tasks.facts.check import Check, CheckState
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.facts.measurements import Measurements, MeasurementState

# Measurements of what serves, among the newest SEEN of any kind.
KINDS, SEEN = ("check", "live"), 50
# A busy host is left alone, so one that was left out is no news.
MISSED = 3


def newest(settings: Settings, serving: Generation, now: float) -> dict[str, Any]:
    """What status tells of the current host. check: the newest measurement of what serves, by the
    timer or by `llamarig smoke`; check_late: seconds since the last one, where one is overdue.

    now: epoch seconds.
    """
    known: MeasurementState = host.get_fact(Measurements, most=SEEN)
    found = next(
        (each for each in reversed(known.entries)
         if each.kind in KINDS and each.generation == serving.number),
        None,
    )  # fmt: skip
    told = found and {
        "verdict": found.verdict,
        "reason": found.reason,
        "speedup": found.speedup,
        "age_seconds": round(now - found.finished),
    }
    last = known.newest(*KINDS)
    waited = [now - last.finished] if last else []
    return {"check": told, "check_late": _late(settings, waited)}


def _late(settings: Settings, waited: list[float]) -> int | None:
    """Seconds, if more than MISSED periods went by. waited: since the last one, if any."""
    if settings.check == "off":
        return None
    known: CheckState = host.get_fact(Check, more=())
    if known.seconds is None:
        return None  # drift says that the timer is missing
    return overdue(min([*waited, known.seconds]), settings.check)


def overdue(seconds: float, period: str) -> int | None:
    """The seconds, if they are more than MISSED periods; None if not."""
    return round(seconds) if seconds > MISSED * PERIOD_SECONDS[period] else None
