"""A host that pyinfra drops: why, in one line."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from paramiko import Channel, SSHException
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State
from pyinfra.operations import server

from llamarig import connection, report
from llamarig.tasks import display_callback
from llamarig.tasks.dropped import LOST


@dataclass
class Link:
    """What paramiko's client and its transport answer of a link."""

    up: bool
    sock: socket.socket | Channel | None = None

    def set_keepalive(self, seconds: int) -> None:
        pass

    def open_channel(self, kind: str) -> str:
        if not self.up:
            raise EOFError
        return kind

    def get_transport(self) -> Link:
        return self

    def is_active(self) -> bool:
        return self.up


Dropped = Callable[[bool], Host]


@pytest.fixture
def dropped(request: pytest.FixtureRequest) -> Dropped:
    """Drop one of two hosts, whose link is as said."""
    name = f"{request.node.name}-a"

    def drop(up: bool) -> Host:
        state = State(Inventory(([f"@fake/{name}", "@fake/other"], {})), Config())
        state.activate_host(host := state.inventory.get_host(f"@fake/{name}"))
        state.activate_host(state.inventory.get_host("@fake/other"))
        host.connector.client = Link(up)  # type: ignore[attr-defined]
        display_callback.register(state)
        state.fail_hosts({host})
        assert host in state.failed_hosts
        return host

    return drop


def test_a_dead_link_is_said(dropped: Dropped, capsys: pytest.CaptureFixture[str]) -> None:
    host = dropped(False)
    assert report.host(host.name)["problems"] == [LOST]
    assert LOST in capsys.readouterr().err


def test_a_live_link_is_not_to_blame(dropped: Dropped) -> None:
    host = dropped(True)
    assert report.host(host.name)["problems"] == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "echo Reading lists; echo 'E: 1' >&2; echo 'E: no room\t!' >&2; exit 3",
            "E: no room\ufffd!",
        ),
        ("echo on stdout alone; exit 3", "on stdout alone"),
        ("exit 3", "failed"),
    ],
)
def test_a_commands_last_words_are_the_cause(command: str, said: str) -> None:
    state = State(Inventory((["@local"], {})), Config())
    connect_all(state)
    report.host("@local")["problems"].clear()
    display_callback.register(state)
    add_op(state, server.shell, name="Write it", commands=[command])
    with pytest.raises(PyinfraError, match="No hosts remaining"):
        run_ops(state)
    assert report.host("@local")["problems"] == [f"Write it: {said}"]


def test_what_was_said_already_is_enough(dropped: Dropped, request: pytest.FixtureRequest) -> None:
    report.problem(f"@fake/{request.node.name}-a", "the connection was lost (timed out)")
    host = dropped(False)
    assert report.host(host.name)["problems"] == ["the connection was lost (timed out)"]


def test_a_link_that_ends_while_it_is_used_ends_one_host_and_not_the_run(dropped: Dropped) -> None:
    link = Link(up=True)
    host = dropped(True)
    host.connector.client = link  # type: ignore[attr-defined]
    connection.harden(host)
    assert link.open_channel("session") == "session"
    link.up = False
    with pytest.raises(SSHException):  # what pyinfra expects of a connection
        link.open_channel("session")


def jump(to: Link) -> Channel:
    """The channel that a jump host has opened, over the connection to it."""
    channel = Channel(1)
    channel.transport = to  # type: ignore[assignment]
    return channel


@pytest.mark.parametrize("jumps", [0, 1, 2])
def test_a_hardened_connection_waits_neither_to_send_nor_for_ever(
    dropped: Dropped, jumps: int
) -> None:
    with socket.socket() as tcp:
        link = Link(up=True, sock=tcp)
        for _ in range(jumps):
            link = Link(up=True, sock=jump(link))
        host = dropped(True)
        host.connector.client = link  # type: ignore[attr-defined]
        connection.harden(host)
        assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        timeout = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert timeout == connection.USER_TIMEOUT_MS
