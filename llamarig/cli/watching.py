"""A run that somebody else shows: its lines and its report, while the child works."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from llamarig.display import WATCHED

# Between two looks at the report.
LOOK_SECONDS = 0.25


class Watcher(Protocol):
    """Who shows a run. Called from threads of their own. progress: whether each step of a job is
    wanted as it comes, marked (llamarig/display.py), or few lines that can be read in a log."""

    @property
    def progress(self) -> bool: ...

    def line(self, text: str) -> None:
        """A line that the child wrote to stderr."""

    def hosts(self, hosts: dict[str, dict[str, Any]]) -> None:
        """The report's part of each host, as it is by now."""

    def tick(self) -> None:
        """LOOK_SECONDS have passed: time to show what has come."""


@contextmanager
def watching(
    watcher: Watcher | None, report: Path, environment: dict[str, str]
) -> Iterator[int | None]:
    """The child's stderr: a pipe to the watcher; None, the terminal itself, where there is none.

    report: the file that the child rewrites; environment: the child's, which is told.
    """
    if watcher is None:
        yield None
        return
    if watcher.progress:
        environment[WATCHED] = "1"
    read, write = os.pipe()
    over = threading.Event()
    threads = [
        threading.Thread(target=_lines, args=(read, watcher), daemon=True),
        threading.Thread(target=_look, args=(report, watcher, over), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield write
    finally:
        os.close(write)
        over.set()
        for thread in threads:
            # What the child leaves running (an ssh master, say) may keep its end open.
            thread.join(timeout=1)


def _lines(read: int, watcher: Watcher) -> None:
    with open(read, encoding="utf-8", errors="replace", newline="\n") as stream:
        for line in stream:
            watcher.line(line.rstrip("\r\n"))


def _look(report: Path, watcher: Watcher, over: threading.Event) -> None:
    seen = -1
    while not over.wait(LOOK_SECONDS):
        try:
            changed = report.stat().st_mtime_ns
            if changed != seen:
                watcher.hosts(json.loads(report.read_text())["hosts"])
                seen = changed
        except (OSError, ValueError):
            pass  # not written yet
        watcher.tick()
