"""Who else used the processors while we measured.

The kernel counts busy time for the machine and for every process. What was busy and was not the
server's is a disturbance: another program, or a neighbour on the same physical host (steal).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

# Share of the whole machine that others may use while a sample still counts. A tenth of the
# machine moved the server's own figure by less than the spread of undisturbed runs.
LIMIT = 0.10
PRESSURE = "/proc/pressure/cpu"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Moment:
    """when: monotonic seconds; busy, own: seconds of processor time, machine and server; waited:
    seconds in which something waited for a processor, None where the kernel does not count."""

    when: float
    busy: float
    own: float
    waited: float | None = None


def parse_machine(line: str) -> float:
    """Busy seconds from /proc/stat's first line: everything but idle, iowait and guest (which
    user already holds)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def parse_process(text: str) -> float:
    """A process's user and system seconds from its /proc/PID/stat."""
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def parse_pressure(text: str) -> float:
    """Seconds in which some task waited, from /proc/pressure/cpu."""
    line = next(line for line in text.splitlines() if line.startswith("some "))
    return int(line.rsplit("total=", 1)[1]) / 1e6


def _waited() -> float | None:
    try:
        with open(PRESSURE, encoding="ascii") as file:
            return parse_pressure(file.read())
    except (OSError, ValueError, StopIteration, IndexError):
        return None


def now(pid: int) -> Moment:
    """The machine's and the process's processor time.

    Raises:
        OSError: the process is gone.
    """
    with open("/proc/stat", encoding="ascii") as file:
        busy = parse_machine(file.readline())
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        own = parse_process(file.read())
    return Moment(time.monotonic(), busy, own, _waited())


def foreign_share(before: Moment, after: Moment, cores: int) -> float:
    """Share of the machine (0 to 1) that others used between two moments."""
    capacity = max(after.when - before.when, 1e-6) * cores
    foreign = (after.busy - before.busy) - (after.own - before.own)
    return min(1.0, max(0.0, foreign / capacity))


def pressure(before: Moment, after: Moment) -> float | None:
    """Share of the time (0 to 1) between two moments in which something waited for a processor.

    Context, no judgement: the server's own threads make a third of it on two processors, and one
    niced program, which takes nothing from anybody, makes it 1.
    """
    if before.waited is None or after.waited is None:
        return None
    seconds = max(after.when - before.when, 1e-6)
    return min(1.0, max(0.0, (after.waited - before.waited) / seconds))
