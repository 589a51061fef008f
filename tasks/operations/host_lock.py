"""One deploy at a time on a host.

The lock is a kernel lock held by a process on our SSH channel: when this run ends or is killed,
the channel closes and the lock is free at once; when the link is cut silently, the holder misses
our heartbeat and lets go after the lease. Nobody ever has to remove a stale file.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import gevent
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, operator
from llamarig.display import say
from llamarig.paths import LOCK
from llamarig.tasks.operations.outcome import failure

# A run that was just killed frees its lock when the host's sshd sees the closed connection.
PATIENCE_SECONDS = 3

HOLDER = """
exec 9>>{lock} || exit 1
if ! flock -w {patience} 9; then cat {lock}; exit 0; fi
printf '%s\\n' {owner} >{lock}
echo taken
while read -r -t {lease} _; do :; done
# `down --purge` removes the file while it holds the lock.
if [ -e {lock} ]; then : >{lock}; fi
"""


def _owner(lease: int) -> str:
    return json.dumps(
        {
            "owner": f"{operator.who()} (pid {os.getpid()})",
            "machine": socket.gethostname(),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "lease_seconds": lease,
        }
    )


def left_behind(other: dict[str, Any]) -> bool:
    """Whether the owner was a run on this machine that has ended. Its link was cut silently: the
    host waits for a heartbeat until the lease is over."""
    if other.get("machine") != socket.gethostname():
        return False
    return not Path(f"/proc/{other.get('pid')}").exists()


def _try(lease: int) -> dict[str, Any] | None:
    """Take the lock; None if that worked, else what its owner wrote.

    Raises:
        OSError and the like (connection.LOST): the link is gone.
    """
    script = HOLDER.format(
        lock=LOCK, patience=PATIENCE_SECONDS, owner=shlex.quote(_owner(lease)), lease=lease
    )
    held = connection.hold(host, script, sudo=bool(host.data.get("_sudo")))
    answer = held.first_line()
    if answer == "taken":
        held.keep(lease / 4)
        return None
    try:
        return dict(json.loads(answer))
    except (ValueError, TypeError):
        return {}


def _acquire(lease: int) -> str | None:
    """Take the lock, waiting for what a run of ours left behind; returns why not."""
    said, deadline = False, time.monotonic() + lease + PATIENCE_SECONDS
    while True:
        try:
            other = _try(lease)
        except connection.LOST as error:
            return f"lock: {error}"
        if other is None:
            return None
        if not left_behind(other) or time.monotonic() > deadline:
            break
        if not said:
            say(host.name, f"waiting for the lock of a run that was cut off (pid {other['pid']})")
            said = True
        gevent.sleep(1)
    if "owner" not in other:
        return "lock: another llamarig run holds this host; try again when it is over"
    return (
        f"lock: held by {other['owner']} since {other['since']}; try again when it is over "
        f"(it ends by itself {other['lease_seconds']} s after its owner is gone)"
    )


@operation()
def take(lease: int) -> Generator[PyinfraCommand, None, None]:
    """Hold the host's lock until this run ends. Lease: seconds it survives a silent link."""
    if not state.is_executing:
        return
    problem = _acquire(lease)
    if problem:
        yield failure(problem)
    else:
        host.noop("lock taken")
