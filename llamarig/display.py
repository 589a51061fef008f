"""What a person sees while a deploy runs: a status line on a terminal, plain lines elsewhere.

Everything goes to stderr; stdout belongs to results. A job's progress is redrawn in place on a
terminal; elsewhere it is a line when the stage changes, at every tenth of the way, or after half
a minute of silence, so that a log stays readable and a watcher knows that it lives.
"""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass

QUIET_SECONDS = 30.0
GIB = 2**30


@dataclass
class _Shown:
    stage: str = ""
    tenth: int = -1
    when: float = 0.0


_live: dict[str, str] = {}
_shown: dict[str, _Shown] = {}


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


def progress(
    host: str, title: str, stage: str, done: int | None, total: int | None, unit: str
) -> None:
    """Show how far a job is; `done` of `total` in `unit`, None while unknown."""
    far = f" {amount(done, total, unit)} ({100 * done // total} %)" if total and done else ""
    text = f"{title}: {stage}{far}"
    if on_terminal():
        _live[host] = text
        _draw()
        return
    seen = _shown.setdefault(f"{host} {title}", _Shown())
    tenth = 10 * done // total if total and done else 0
    now = time.monotonic()
    if (stage, tenth) != (seen.stage, seen.tenth) or now - seen.when > QUIET_SECONDS:
        _shown[f"{host} {title}"] = _Shown(stage, tenth, now)
        say(host, text)


def over(host: str) -> None:
    """The host has nothing in progress any more."""
    if host in _live:
        _clear()
        del _live[host]
        _draw()


class ClearFirst(logging.Filter):
    """Takes the status line away before somebody else's log line is printed."""

    def filter(self, record: logging.LogRecord) -> bool:
        _clear()
        return True
