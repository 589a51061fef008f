"""A host that drops out because its link died is told so in one line.

pyinfra says of a fact "could not load" and of an operation "socket error", whichever came first;
neither says that the link is gone, that jobs go on, or what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyinfra.api.host import Host
from pyinfra.api.state import State

from llamarig import connection, report
from llamarig.tasks.operations.outcome import tell

LOST = "the connection was lost; jobs on the host go on, run the same command again to join them"


def watch(state: State) -> None:
    """Look at every host that pyinfra drops. It has no callback for a fact that fails, but all
    that fails passes through `State.fail_hosts`."""
    drop = state.fail_hosts

    def fail_hosts(hosts_to_fail: Iterable[Host], activated_count: Any = None) -> None:
        for host in hosts_to_fail:
            _look(host)
        drop(hosts_to_fail, activated_count)

    state.fail_hosts = fail_hosts  # type: ignore[method-assign]


def _look(host: Host) -> None:
    """Say it, unless a line of ours has said already what went wrong."""
    if connection.alive(host) or report.host(host.name)["problems"]:
        return
    tell(host, LOST)
