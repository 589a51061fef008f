"""Hosts other than the one at hand, asked one command as root, all at once and in bounded time.

A run with --limit reaches some hosts of the site. What holds for the whole site (the API key) needs
the others too: they are connected to for the one question and left again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.api.exceptions import FactProcessError, PyinfraError
from pyinfra.api.host import Host

from llamarig import connection
from llamarig.tasks import sudo
from llamarig.tasks.facts.privilege import Privilege, PrivilegeState
from llamarig.tasks.step import refused

# For one host: its connection, sudo, and the answer.
LIMIT_SECONDS = 20.0
Answer = TypeVar("Answer")
_visiting: dict[str, BoundedSemaphore] = {}


def ask(hosts: Iterable[Host], command: str) -> dict[str, list[str] | None]:
    """What a short command prints on each host, by its name; None for a host that can't be asked:
    out of reach, without root, or too slow."""
    asked = {each.name: gevent.spawn(_ask, each, command) for each in hosts}
    return {name: greenlet.get() for name, greenlet in asked.items()}


def at(host: Host, do: Callable[[Host], Answer], limit_s: float = LIMIT_SECONDS) -> Answer | None:
    """What `do` says of a host that is connected and has root arranged; None where that can't be,
    or took longer than `limit_s` seconds. A host outside of the run is left again."""
    try:
        with gevent.Timeout(limit_s, TimeoutError(f"no answer in {limit_s:.0f} s")):
            if host.connected:
                while not (sudo.arranged(host.name) or refused(host.name)):
                    gevent.sleep(0.05)
                return _do(host, do, arranged=sudo.arranged(host.name))
            if host.state.is_host_in_limit(host):
                return None  # this run could not connect to it when it began
            # One connection at a time: each host has place for one.
            with _visiting.setdefault(host.name, BoundedSemaphore(1)):
                return _visit(host, do)
    except (*connection.LOST, FactProcessError, PyinfraError):
        return None


def _ask(host: Host, command: str) -> list[str] | None:
    return at(host, lambda there: answer(there, command))


def answer(host: Host, command: str) -> list[str] | None:
    """What a command prints as root; None where it fails."""
    ok, lines = connection.run(host, command, sudo=bool(host.data.get("_sudo")))
    return lines if ok else None


def _visit(host: Host, do: Callable[[Host], Answer]) -> Answer | None:
    """Connect, do, leave. The host stays outside of the run: none of pyinfra's lists names it."""
    try:
        host.connect(show_errors=False)
        if not host.connected:
            return None
        connection.harden(host)
        return _do(host, do, arranged=False)
    finally:
        host.connected = False
        client = getattr(host.connector, "client", None)
        if client is not None:
            # Its file transfers are cached by host, and would go on over the closed connection.
            host.connector.disconnect()
            client.close()


def _do(host: Host, do: Callable[[Host], Answer], *, arranged: bool) -> Answer | None:
    """arranged: this run knows how to be root on the host already."""
    if not arranged:
        file = host.data.get("sudo_password_file")
        if sudo.arrange(host, _privilege(host), file):
            return None
    return do(host)


def _privilege(host: Host) -> PrivilegeState | None:
    """Asked without pyinfra's fact, which would count a failure as the end of a host of the run."""
    ok, lines = connection.run(host, Privilege().command())
    return Privilege().process(lines) if ok else None
