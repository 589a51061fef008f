"""Taking the lock of a run that no longer renews it: `up --break-lock`.

A run that works renews its lock four times a lease. One that does not, for half a lease, has lost
its link, sleeps with its laptop, or was stopped; only that one's lock is broken, and the host
itself looks once more before it kills the process that holds it. A run that wakes up without its
lock ends on this host (host_lock.py).
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from pyinfra.context import host

from llamarig import connection
from llamarig.display import say
from llamarig.paths import LOCK

# `llamarig up` sets it (llamarig/cli/up.py).
ASKED = "_break_lock"

SCRIPT = """
idle=$(( $(date +%s) - $(stat -c %Y {lock}) ))
if [ $idle -lt {least} ]; then echo renewed; exit 0; fi
find /proc/[0-9]*/fd -lname {lock} 2>/dev/null | cut -d/ -f3 | sort -u | xargs -r kill -9
echo broken
"""


def asked() -> bool:
    """Whether this run may break a lock."""
    return host.data.get(ASKED) is not None


def left_behind(other: dict[str, Any]) -> bool:
    """Whether the owner was a run on this machine that has ended. Its link was cut silently: the
    host waits for a heartbeat until the lease is over."""
    if other.get("machine") != socket.gethostname():
        return False
    return not Path(f"/proc/{other.get('pid')}").exists()


def patience(other: dict[str, Any], lease: int) -> int:
    """Seconds without a heartbeat after which a lock may be broken. lease: this run's, for an
    owner that wrote none."""
    return 0 if left_behind(other) else int(other.get("lease_seconds") or lease) // 2


def stale(other: dict[str, Any], lease: int) -> bool:
    """Whether a lock is no longer renewed; other: what its owner wrote, and `idle_seconds`."""
    return int(other.get("idle_seconds", 0)) >= patience(other, lease)


def kill_stale(other: dict[str, Any], lease: int) -> bool:
    """End the holder of a lock that is not renewed; says whose it was. True if that was done.

    Raises:
        ConnectionError: the link is gone.
    """
    if "idle_seconds" not in other or not stale(other, lease):
        return False
    script = SCRIPT.format(lock=LOCK, least=patience(other, lease))
    _, lines = connection.run(host, script, sudo=bool(host.data.get("_sudo")))
    if lines[-1:] != ["broken"]:
        return False
    owner, since = other.get("owner", "another run"), other.get("since", "?")
    idle = other.get("idle_seconds", 0)
    say(host.name, f"broke the lock of {owner}, since {since}, last renewed {idle} s before")
    return True
