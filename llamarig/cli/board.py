"""A rollout on a terminal: a live table of hosts and stages, below the lines that matter."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from llamarig.cli.board_rows import FAILED, STAGES, Row, chosen
from llamarig.cli.rollout_view import routine
from llamarig.display import MARK, plain
from llamarig.rollout.entries import Hosts
from llamarig.rollout.parts import Part

_OF_HOST = re.compile(r"\[(?P<host>[^\]]*)\] (?P<text>.*)")
_LOOKS = {"ok": "green", "now": "bold cyan", "FAIL": "bold red", "-": "dim"}
# Beside the rows: the title, the head, the count of rows left out, and the cursor's line.
_OTHER_LINES = 4
_WIDEST_NAME = 16


class Board:
    """Shows a rollout until it is left; then the table goes, and its lines stay."""

    progress = True

    def __init__(self, names: Iterable[str], console: Console | None = None) -> None:
        self._rows = {name: Row(name) for name in names}
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._lock = threading.Lock()
        self._title = ""
        # Drawing takes longer than a line takes to come.
        self._changed = False

    def __enter__(self) -> Board:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._live.stop()

    def say(self, line: str) -> None:
        with self._lock:
            self._above(f"llamarig: {line}")

    def begin(self, part: Part) -> None:
        with self._lock:
            self._title = part.title
            self._above(f"llamarig: {part.title}")
            for name in part.hosts:
                self._rows[name].began()
            self._draw()

    def ended(self, part: Part, hosts: Hosts) -> None:
        with self._lock:
            for name in part.hosts:
                if name in hosts:
                    self._rows[name].ended(part, hosts[name])
            self._draw()

    def line(self, text: str) -> None:
        """What a run says: a step of a host's work goes into its row, all else stays above."""
        found = _OF_HOST.fullmatch(text.removeprefix(MARK))
        row = self._rows.get(found["host"]) if found else None
        step = text.startswith(MARK) or (found and found["text"].startswith("changed: "))
        with self._lock:
            if row and found and step:
                row.note = plain(found["text"].split(": ", 1)[-1])
                self._changed = True
            elif not routine(text):
                self._above(text)

    def hosts(self, hosts: dict[str, dict[str, Any]]) -> None:
        with self._lock:
            for name, entry in hosts.items():
                if name in self._rows:
                    self._rows[name].seen(entry)
            self._changed = True

    def tick(self) -> None:
        with self._lock:
            if self._changed:
                self._draw()

    def _above(self, text: str) -> None:
        self._console.print(Text(plain(text.expandtabs())), soft_wrap=True)

    def _draw(self) -> None:
        self._changed = False
        self._live.update(self.picture(), refresh=True)

    def picture(self) -> Group:
        """The table as it is now, with its title and a count of the hosts that have no room."""
        rows, more = chosen(self._rows.values(), self._console.height - _OTHER_LINES)
        drawn = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True)
        drawn.add_column("host", no_wrap=True, max_width=_WIDEST_NAME)
        for stage in STAGES:
            drawn.add_column(stage, no_wrap=True, min_width=len(stage))
        drawn.add_column("", no_wrap=True, ratio=1, overflow="ellipsis")
        for row in rows:
            cells = [Text(word, style=_LOOKS[word]) for word in row.cells()]
            note = Text(plain(row.note), style="red" if row.state == FAILED else "")
            drawn.add_row(Text(plain(row.name), overflow="ellipsis"), *cells, note)
        title = Text(plain(self._title), style="bold", no_wrap=True, overflow="ellipsis")
        return Group(title, drawn, Text(more, style="dim"))
