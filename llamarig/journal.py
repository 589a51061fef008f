"""Lines of hosts' journals on their way to a terminal: what is asked for, and how lines travel.

`llamarig logs` runs pyinfra as its child, whose own output is the terminal's and a JSON document.
So the journals' lines take a way of their own, a FIFO, and are shown by the process that knows
whether it is a terminal they go to. Under plain pyinfra there is none, and they are printed.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from llamarig.display import plain
from llamarig.paths import LIVE_UNIT

# What the child is told, and where it writes.
WANTED, WAY = "LLAMARIG_LOGS", "LLAMARIG_LOGS_WAY"
JOBS = "llamarig-*.service"
MOST_LINES = 100_000
# No journal's line holds a NUL.
END = b"\0\n"
Take = Callable[[str, str], None]


@dataclass(frozen=True)
class Wanted:
    """lines: the last ones to begin with; follow: then whatever comes; units: as journalctl -u
    takes them, patterns too."""

    lines: int = 50
    follow: bool = False
    units: tuple[str, ...] = (LIVE_UNIT, JOBS)

    def text(self) -> str:
        return json.dumps(asdict(self))

    def command(self) -> str:
        """journalctl's line: times with their zone, no pager, no hints."""
        argv = ["journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(self.lines)]
        argv += ["-f"] if self.follow else []
        for unit in self.units:
            argv += ["-u", unit]
        return f"LC_ALL=C.UTF-8 {shlex.join(argv)}"


def wanted() -> Wanted:
    """What this process was told to read."""
    found = json.loads(os.environ.get(WANTED) or "{}")
    return Wanted(**{**found, "units": tuple(found["units"])} if found else {})


def job_units(name: str) -> tuple[str, ...]:
    """The units of a job, or of all jobs of a kind: `prove-3`, or `build`."""
    return (f"llamarig-{name}.service", f"llamarig-{name}-*.service")


def packed(host: str, line: str) -> bytes:
    """A line as it travels."""
    return f"{host}\t{line}\n".encode(errors="replace")


@contextmanager
def receiving(take: Take) -> Iterator[Callable[[], BaseException | None]]:
    """Make the way, and hand every line that comes to `take(host, line)`, in a thread of its own,
    until the context ends. Yields what says whether taking failed, and why."""
    failed: list[BaseException] = []
    with tempfile.TemporaryDirectory(prefix="llamarig-logs-") as folder:
        way = Path(folder) / "lines"
        os.mkfifo(way, 0o600)
        # Open both ways: so it neither waits for the child nor ends with it.
        end = os.open(way, os.O_RDWR)
        reader = threading.Thread(target=_read, args=(end, take, failed), daemon=True)
        os.environ[WAY] = str(way)
        reader.start()
        try:
            yield lambda: failed[0] if failed else None
        finally:
            del os.environ[WAY]
            if reader.is_alive():
                os.write(end, END)
            reader.join()
            os.close(end)


def _read(way: int, take: Take, failed: list[BaseException]) -> None:
    try:
        with os.fdopen(os.dup(way), "rb") as lines:
            for line in lines:
                # A child that was ended may have left the beginning of a line before it.
                if line.endswith(END):
                    return
                host, _, text = line.decode(errors="replace").rstrip("\n").partition("\t")
                take(host, text)
    except (OSError, ValueError) as error:
        failed.append(error)
        # Nobody reads any more: the run has no purpose. It ends as by Ctrl-C, which a command in
        # the background of a script does not hear.
        deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM if deaf else signal.SIGINT)


def shown(host: str, line: str, *, several: bool) -> str:
    """A line for people: nothing in it steers a terminal."""
    text = plain(line.expandtabs())
    return f"{plain(host)}  {text}" if several else text
