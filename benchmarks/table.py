"""The benchmark's figures as Markdown, for docs/measurements.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from cost import Run

# Of several hosts' seconds to those of one.
GOALS = {1: "", 3: "1.2x", 6: "1.5x"}
HEAD = (
    "| what | hosts | seconds, median (min to max) | times one host | goal | round trips a host "
    "| processor seconds: controller, with hosts |"
)
UP = "`llamarig up`"
PLAYBOOK = "the same checks in Ansible"
Measured = Mapping[str, Mapping[int, Sequence[Run]]]


def table(found: Measured) -> str:
    """A line for each command and number of hosts."""
    lines = [HEAD, "|---|---|---|---|---|---|---|"]
    for what, runs in found.items():
        one = _seconds(runs[1])
        for count, several in runs.items():
            lines.append(_line(what, count, several, one))
    return "\n".join(lines)


def _line(what: str, count: int, runs: Sequence[Run], one: float) -> str:
    every = [run.seconds for run in runs]
    cells = [
        what,
        str(count),
        f"{_seconds(runs):.2f} ({min(every):.2f} to {max(every):.2f})",
        f"{_seconds(runs) / one:.2f}x",
        GOALS[count] if what == UP else "",
        _span([number for run in runs for number in run.sessions]),
        f"{median(run.own for run in runs):.2f}, {median(run.machine for run in runs):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def ratios(found: Measured) -> str:
    """How many times as long Ansible takes, by number of hosts."""
    parts = [
        f"{_seconds(found[PLAYBOOK][count]) / _seconds(found[UP][count]):.1f}x with {count}"
        for count in found[UP]
    ]
    return f"Ansible's seconds to llamarig's, medians: {', '.join(parts)}."


def _seconds(runs: Sequence[Run]) -> float:
    return median(run.seconds for run in runs)


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
