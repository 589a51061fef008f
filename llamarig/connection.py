"""The connection to a host, which is not trusted to live.

A link that is cut silently would leave SSH waiting for ever (facts: the kernel retries a lost
segment for a quarter of an hour, sshd notices never). So the kernel is told to give up, and what
must not outlive this process (the lock, the sudo password) is held by a process on the host that
ends when the channel closes or when our heartbeat stays away.
"""

from __future__ import annotations

import shlex
import socket
from collections.abc import Callable
from typing import Any

import gevent
from paramiko import Channel, SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.connectors.util import make_unix_command_for_host

# Of a link that is about to go, so that what was held is missed for that reason alone.
SETTLE_SECONDS = 5
# Milliseconds that sent data may stay unacknowledged before the kernel drops the connection.
USER_TIMEOUT_MS = 20_000
KEEPALIVE_SECONDS = 5
LOST = (SSHException, OSError, EOFError, TimeoutError)


def _transport(host: Host) -> Any:
    client = getattr(host.connector, "client", None)
    return client.get_transport() if client is not None else None


def _socket(transport: Any) -> Any:
    """What a transport sends over: its socket, or that to the first of its jump hosts. None: a
    ProxyCommand's process."""
    found = transport.sock
    while isinstance(found, Channel):
        found = found.get_transport().sock
    return found if hasattr(found, "setsockopt") else None


def harden(host: Host) -> None:
    """Bound how long a dead link can keep us, `USER_TIMEOUT_MS` for data, keepalives besides; have
    its end told as what pyinfra takes for the end of one host; and have nothing wait to be sent.

    For every connection, also one that is made anew, before it is used."""
    transport = _transport(host)
    if transport is None:
        return
    transport.set_keepalive(KEEPALIVE_SECONDS)
    if (sock := _socket(transport)) is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        # A command is several small messages. Else each waits until the host has acknowledged the
        # one before it, for which that takes its time: 40 ms with nearly every command.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened = transport.open_channel

    def open_channel(*words: Any, **more: Any) -> Any:
        # paramiko raises whatever ended its reader. An EOFError pyinfra does not expect: it would
        # end the run for all hosts, with a traceback.
        try:
            return opened(*words, **more)
        except EOFError as error:
            raise SSHException("the connection ended") from error

    transport.open_channel = open_channel


def alive(host: Host) -> bool:
    """False once the SSH transport is gone; commands then fail without saying why."""
    transport = _transport(host)
    return transport is None or bool(transport.is_active())


def leaving(host: Host, say: Callable[[], None]) -> Callable[[], None]:
    """What ends this run on a host once something that it held there is gone: `say`, then the
    connection. Nothing, where the connection went along or is another by now (a reboot); on this
    machine itself there is none to end."""
    transport = _transport(host)

    def leave() -> None:
        gevent.sleep(SETTLE_SECONDS)
        if _transport(host) is transport and alive(host):
            say()
            if transport is not None:
                transport.close()

    return leave


class Held:
    """A process on the host that lives as long as this one keeps writing to it."""

    def __init__(self, stdin: Any, stdout: Any) -> None:
        self._stdin, self._stdout = stdin, stdout

    def send(self, line: str) -> None:
        self._stdin.write((line + "\n").encode())
        self._stdin.flush()

    def first_line(self, timeout: float = 30.0) -> str:
        with gevent.Timeout(timeout, TimeoutError("no answer from the host")):
            line = self._stdout.readline()
        return (line.decode() if isinstance(line, bytes) else str(line)).strip()

    def keep(self, every: float, lost: Callable[[], None] | None = None) -> None:
        """Send a heartbeat every `every` seconds until the channel breaks; then call `lost`."""

        def beat() -> None:
            try:
                while True:
                    gevent.sleep(every)
                    self.send("")
            except LOST:
                if lost is not None:
                    lost()

        gevent.spawn(beat)


def hold(host: Host, script: str, *, sudo: bool = False) -> Held:
    """Start `script` under bash on the host and leave it running on a channel of its own."""
    command = StringCommand(f"exec bash -c {shlex.quote(script)}")
    line = make_unix_command_for_host(
        host.state, host, command, _sudo=sudo, _shell_executable="sh"
    ).get_raw_value()
    client = getattr(host.connector, "client", None)
    if client is not None:
        stdin, stdout, _ = client.exec_command(line)
        return Held(stdin, stdout)
    from gevent.subprocess import PIPE, Popen

    child = Popen(["sh", "-c", line], stdin=PIPE, stdout=PIPE)
    return Held(child.stdin, child.stdout)


def run(host: Host, command: str, *, sudo: bool = False) -> tuple[bool, list[str]]:
    """Run a command outside of facts and operations: (ok, stdout lines).

    Raises:
        ConnectionError: the link is gone, which is not the command's failure.
    """
    try:
        ok, output = host.run_shell_command(StringCommand(command), _sudo=sudo)
    except LOST as error:
        raise ConnectionError(str(error) or type(error).__name__) from error
    if not ok and not alive(host):
        raise ConnectionError("the SSH connection ended")
    return ok, output.stdout_lines
