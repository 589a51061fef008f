"""What a person sees while a deploy runs: a status line on a terminal, plain lines elsewhere.

Everything goes to stderr; stdout belongs to results. A job's progress is redrawn in place on a
terminal; elsewhere it is a line when the stage changes, at every tenth of the way, or after half
a minute of silence, so that a log stays readable and a watcher knows that it lives. Where the
environment has LLAMARIG_WATCHED a program reads the lines, and shows progress itself: each such
line begins with MARK.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections import deque
from dataclasses import dataclass, field

WATCHED = "LLAMARIG_WATCHED"
# A control character: `plain` lets none of a host's through.
MARK = "\x1e"
QUIET_SECONDS = 30.0
# Long enough that a stall of a few seconds doesn't make the time left jump.
RATE_SECONDS = 20.0
# Over less than this a rate is noise.
RATE_KNOWN_SECONDS = 3.0
GIB, MIB = 2**30, 2**20


class Rate:
    """How fast a count of bytes grows, over about the last RATE_SECONDS."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, when: float, done: int) -> None:
        """Take in a count; when: monotonic seconds. A smaller one began anew."""
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((when, done))
        while len(self._seen) > 2 and when - self._seen[1][0] >= RATE_SECONDS:
            self._seen.popleft()

    def per_second(self) -> float | None:
        """Bytes a second; None while unknown."""
        if not self._seen:
            return None
        (begun, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - begun) if ended - begun >= RATE_KNOWN_SECONDS else None

    def text(self, total: int) -> str:
        """` 93.1 MiB/s, 2 min 50 s left`, nothing while unknown."""
        speed = self.per_second()
        if speed is None:
            return ""
        missing = total - self._seen[-1][1]
        left = f", {duration(missing / speed)} left" if speed > 0 and missing > 0 else ""
        return f" {speed / MIB:.1f} MiB/s{left}"


@dataclass
class _Shown:
    stage: str = ""
    tenth: int = -1
    when: float = 0.0


@dataclass
class _Speed:
    stage: str = ""
    rate: Rate = field(default_factory=Rate)


_live: dict[str, str] = {}
_shown: dict[str, _Shown] = {}
_speeds: dict[str, _Speed] = {}


def on_terminal() -> bool:
    return sys.stderr.isatty()


def _clear() -> None:
    if _live and on_terminal():
        sys.stderr.write("\r\x1b[K")


def _draw() -> None:
    if _live and on_terminal():
        import shutil

        width = shutil.get_terminal_size().columns
        text = "  ".join(f"{host} {what}" for host, what in sorted(_live.items()))
        sys.stderr.write("\r\x1b[K" + text[: width - 1])
        sys.stderr.flush()


def plain(text: str) -> str:
    """Text from a host, without what would steer a terminal or forge a line."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def say(host: str, line: str) -> None:
    """One line about one host."""
    _clear()
    print(f"[{plain(host)}] {plain(line)}", file=sys.stderr, flush=True)
    _draw()


def amount(done: int, total: int, unit: str) -> str:
    """`12/224 steps`, or GiB with two digits for bytes."""
    if unit == "bytes":
        return f"{done / GIB:.2f}/{total / GIB:.2f} GiB"
    return f"{done}/{total} {unit}"


def duration(seconds: float) -> str:
    """`45 s`, `2 min 50 s` or `1 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _speed(host: str, stage: str, done: int, total: int, now: float) -> str:
    """What to say of a host's speed in this stage; a new stage begins unknown."""
    seen = _speeds.get(host)
    if seen is None or seen.stage != stage:
        seen = _speeds[host] = _Speed(stage)
    seen.rate.add(now, done)
    return seen.rate.text(total)


def progress(
    host: str, title: str, stage: str, done: int | None, total: int | None, unit: str
) -> None:
    """Show how far a job is; `done` of `total` in `unit`, None while unknown."""
    now = time.monotonic()
    far = f" {amount(done, total, unit)} ({100 * done // total} %)" if total and done else ""
    if total and done and unit == "bytes":
        far += _speed(host, f"{title} {stage}", done, total, now)
    text = f"{title}: {stage}{far}"
    if os.environ.get(WATCHED):
        print(f"{MARK}[{plain(host)}] {plain(text)}", file=sys.stderr, flush=True)
        return
    if on_terminal():
        _live[host] = text
        _draw()
        return
    seen = _shown.setdefault(f"{host} {title}", _Shown())
    tenth = 10 * done // total if total and done else 0
    if (stage, tenth) != (seen.stage, seen.tenth) or now - seen.when > QUIET_SECONDS:
        _shown[f"{host} {title}"] = _Shown(stage, tenth, now)
        say(host, text)


def over(host: str) -> None:
    """The host has nothing in progress any more."""
    _speeds.pop(host, None)
    if host in _live:
        _clear()
        del _live[host]
        _draw()


class ClearFirst(logging.Filter):
    """Takes the status line away before somebody else's log line is printed."""

    def filter(self, record: logging.LogRecord) -> bool:
        _clear()
        return True
