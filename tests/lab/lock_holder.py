"""Somebody else who holds a host's lock."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from llamarig.rehearsal.lab import Lab


@contextmanager
def held_lock(lab: Lab, host: str = "gpu01") -> Iterator[None]:
    """ada@desk holds the lock of a host, since today."""
    address = lab.state.host(host).address
    holder = subprocess.Popen(
        ["ssh", "-i", lab.state.ssh_key, "-o", f"UserKnownHostsFile={lab.state.known_hosts}",
         f"ops@{address}",
         "sudo sh -c 'exec 9>>/run/lock/llamarig.lock; flock 9; echo "
         "\"{\\\"owner\\\": \\\"ada@desk\\\", \\\"since\\\": \\\"today\\\", "
         "\\\"lease_seconds\\\": 60}\" >/run/lock/llamarig.lock; echo held; exec sleep 61'"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout
        assert holder.stdout.readline().strip() == "held"
        yield
    finally:
        holder.kill()
        lab.ssh(host, "pkill -x -f 'sleep 61'", sudo=True)
