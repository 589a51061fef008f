"""What every host measured: `llamarig report`. Reads, never changes, takes no lock."""

from __future__ import annotations

from pyinfra.context import host

from llamarig import report
from llamarig.reports.slim import slim
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.measurements import Measurements
from llamarig.tasks.step import step


def run() -> None:
    """Arrive, then look: a step's facts are asked as root only if sudo was arranged before it."""
    begin()
    look()


@step("Arrival")
def begin() -> None:
    """The settings, the connection, root."""
    arrive()


@step("Measurements")
def look() -> None:
    """Record the host's own log of measurements for the page."""
    found = host.get_fact(Measurements)
    report.record(
        host.name,
        measurements=[slim(each.record) for each in found.entries],
        measurements_broken=found.broken,
    )
