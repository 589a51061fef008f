"""Why pyinfra dropped a host, in one line for the report.

Operations of ours say it themselves. Of a link that died pyinfra says of a fact "could not load"
and of an operation "socket error", whichever came first; neither says that the link is gone, that
jobs go on, or what to do. Of a command that failed it prints everything, and keeps none of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyinfra.api.host import Host
from pyinfra.api.state import State

from llamarig import connection, report
from llamarig.display import plain
from llamarig.tasks.operations.outcome import tell
from llamarig.tasks.step import title

LOST = "the connection was lost; jobs on the host go on, run the same command again to join them"
MOST_CHARACTERS = 300


def watch(state: State) -> None:
    """Look at every host that pyinfra drops. It has no callback for a fact that fails, but all
    that fails passes through `State.fail_hosts`."""
    drop = state.fail_hosts

    def fail_hosts(hosts_to_fail: Iterable[Host], activated_count: Any = None) -> None:
        for host in hosts_to_fail:
            _look(state, host)
        drop(hosts_to_fail, activated_count)

    state.fail_hosts = fail_hosts  # type: ignore[method-assign]


def _look(state: State, host: Host) -> None:
    """Say it, unless a line of ours has said already what went wrong."""
    if report.host(host.name)["problems"]:
        return
    if not connection.alive(host):
        tell(host, LOST)
    elif cause := _cause(state, host):
        report.problem(host.name, cause)  # all that the command said was printed


def _cause(state: State, host: Host) -> str | None:
    """The operation that failed on the host, and its last words; None: it was a fact."""
    for op_hash, of in state.ops[host].items():
        meta = of.operation_meta
        if meta.is_complete() and meta.did_error():
            said = [line for line in meta.stderr_lines or meta.stdout_lines if line.strip()]
            last = plain(said[-1].strip())[:MOST_CHARACTERS] if said else "failed"
            return f"{title(state, op_hash)}: {last}"
    return None
