"""One deploy at a time on a host.

The lock is a kernel lock held by a process on our SSH channel: when this run ends or is killed,
the channel closes and the lock is free at once; when the link is cut silently, the holder misses
our heartbeat and lets go after the lease. Nobody ever has to remove a stale file. A run that has
lost its lock (it slept longer than the lease, somebody broke it) ends on the host.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import time
from collections.abc import Generator
from typing import Any

import gevent
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, operator
from llamarig.display import say
from llamarig.paths import LOCK
from llamarig.tasks.operations import lock_break
from llamarig.tasks.operations.outcome import failure, tell

# A run that was just killed frees its lock when the host's sshd sees the closed connection.
PATIENCE_SECONDS = 3
LOST = (
    "lock: lost, this run did not renew it in time or somebody broke it; it ends here, jobs on the "
    "host go on"
)

HOLDER = """
exec 9>>{lock} || exit 1
if ! flock -w {patience} 9; then
    echo "$(( $(date +%s) - $(stat -c %Y {lock}) )) $(cat {lock})"; exit 0
fi
printf '%s\\n' {owner} >{lock}
echo taken
while read -r -t {lease} _; do touch -c {lock}; done
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


def _try(lease: int) -> dict[str, Any] | None:
    """Take the lock; None if that worked, else what its owner wrote, and `idle_seconds`, since
    the last heartbeat.

    Raises:
        OSError and the like (connection.LOST): the link is gone.
    """
    script = HOLDER.format(
        lock=LOCK, patience=PATIENCE_SECONDS, owner=shlex.quote(_owner(lease)), lease=lease
    )
    held = connection.hold(host, script, sudo=bool(host.data.get("_sudo")))
    answer = held.first_line()
    if answer == "taken":
        this = state.inventory.get_host(host.name)
        held.keep(lease / 4, connection.leaving(this, lambda: tell(this, LOST)))
        return None
    return told(answer)


def told(answer: str) -> dict[str, Any]:
    """`12 {"owner": …}` as the host says it; what its owner did not write is missing."""
    idle, _, text = answer.partition(" ")
    try:
        return {**json.loads(text or "{}"), "idle_seconds": int(idle)}
    except (ValueError, TypeError):
        return {}


def _acquire(lease: int) -> str | None:
    """Take the lock, waiting for what a run of ours left behind; returns why not."""
    said, deadline = False, time.monotonic() + lease + PATIENCE_SECONDS
    while True:
        try:
            other = _try(lease)
            if other is None:
                return None
            broken = lock_break.asked() and lock_break.kill_stale(other, lease)
        except connection.LOST as error:
            return f"lock: {error}"
        left = lock_break.left_behind(other)
        if time.monotonic() > deadline or not (left or broken):
            return _held(other, lease)
        if not (said or broken):
            say(host.name, f"waiting for the lock of a run that was cut off (pid {other['pid']})")
            said = True
        gevent.sleep(1)


def _held(other: dict[str, Any], lease: int) -> str:
    """Why the lock can't be had, and what to do."""
    if "owner" not in other:
        return "lock: another llamarig run holds this host; try again when it is over"
    line = f"lock: held by {other['owner']} since {other['since']}"
    if lock_break.stale(other, lease):
        return f"{line}, not renewed for {other['idle_seconds']} s: `up --break-lock` takes it"
    if lock_break.asked():
        return (
            f"{line}, renewed {other['idle_seconds']} s ago: --break-lock takes only what is "
            f"not renewed for {lock_break.patience(other, lease)} s; end that run first"
        )
    return (
        f"{line}; try again when it is over (it ends by itself {other['lease_seconds']} s after "
        "its owner is gone)"
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
