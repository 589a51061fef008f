"""The journals of the hosts: `llamarig logs`, or `pyinfra INVENTORY llamarig.tasks.logs.run`.
Reads, never changes, takes no lock."""

from __future__ import annotations

import os
from contextlib import suppress

from gevent.lock import BoundedSemaphore
from gevent.os import make_nonblocking, nb_write
from pyinfra.context import host

from llamarig import connection, journal
from llamarig.display import say
from llamarig.tasks.arrival import arrive
from llamarig.tasks.operations.outcome import tell
from llamarig.tasks.step import refused, step

BEAT_SECONDS = 5.0
# A host whose journal says nothing for a week is a quiet host.
QUIET_SECONDS = 7 * 86400.0

# Every line gets a mark, so that an empty one is not taken for the end. The reader is a group of
# its own: when our channel closes, or our heartbeat stays away, all of it ends.
SCRIPT = """
set -m
( {command} 2>&1 </dev/null | sed -u 's/^/|/'; echo "=${{PIPESTATUS[0]}}" ) &
reader=$!
trap 'kill -- -$reader 2>/dev/null' EXIT
trap exit HUP TERM INT
while kill -0 $reader 2>/dev/null && read -r -t 20 _; do :; done
"""

# What journalctl says of a pattern that fits no unit.
NO_UNIT = "Failed to add filter"

_way: list[int] = []
_writing = BoundedSemaphore(1)


@step("Logs")
def run() -> None:
    """Send every line to where it is shown: as it comes, or a host's lines together."""
    arrive()
    if refused(host.name):
        return
    wanted = journal.wanted()
    try:
        _stream(wanted)
    except (*connection.LOST, ConnectionError) as error:
        tell(host, f"the connection was lost ({str(error) or type(error).__name__})")


def _stream(wanted: journal.Wanted) -> None:
    """Read the host's journal to its end.

    Raises:
        ConnectionError and the like (connection.LOST): the link is gone.
    """
    script = SCRIPT.format(command=wanted.command())
    held = connection.hold(host, script, sudo=bool(host.data.get("_sudo")))
    held.keep(BEAT_SECONDS)
    kept: list[str] = []
    while line := _line(held):
        if line.startswith("="):
            _over(line[1:], kept)
            return
        kept.append(line[1:])
        if wanted.follow:
            _send(kept)
            kept = []
    raise ConnectionError("the host closed it")


def _line(held: connection.Held) -> str:
    """The next line with its mark; empty at the end of the channel."""
    while True:
        with suppress(TimeoutError):
            return held.first_line(QUIET_SECONDS)


def _over(status: str, kept: list[str]) -> None:
    """journalctl ended: send what it said, or say that there is nothing."""
    if not kept or (status != "0" and NO_UNIT in kept[-1]):
        say(host.name, "nothing of that is in its journal")
        return
    _send(kept)
    if status != "0":
        tell(host, f"journalctl ended with exit status {status}")


def _send(lines: list[str]) -> None:
    """Write a host's lines, which stay together, without holding up the others' heartbeats,
    however slowly they are read."""
    path = os.environ.get(journal.WAY)
    if path is None:
        for line in lines:
            print(journal.shown(host.name, line, several=True), flush=True)
        return
    rest = memoryview(b"".join(journal.packed(host.name, line) for line in lines))
    with _writing:
        if not _way:
            _way.append(os.open(path, os.O_WRONLY))
            make_nonblocking(_way[0])
        while rest:
            rest = rest[nb_write(_way[0], rest) :]
