"""The connection to a host, which is not trusted to live.

A link that is cut silently would leave SSH waiting for ever (facts: the kernel retries a lost
segment for a quarter of an hour, sshd notices never). So the kernel is told to give up, and what
must not outlive this process (the lock, the sudo password) is held by a process on the host that
ends when the channel closes or when our heartbeat stays away.
"""

from __future__ import annotations

import shlex
import socket
from contextlib import suppress
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.connectors.util import make_unix_command_for_host

# Milliseconds that sent data may stay unacknowledged before the kernel drops the connection.
USER_TIMEOUT_MS = 20_000
KEEPALIVE_SECONDS = 5
LOST = (SSHException, OSError, EOFError, TimeoutError)

# Marks a password that sudo reads through our askpass program; pyinfra puts it where everybody
# can read it, so it must not be the password.
NOT_THE_PASSWORD = "held-by-askpass"

ASKPASS = r"""
umask 077
d=$(mktemp -d "${XDG_RUNTIME_DIR:-/tmp}/llamarig-sudo-XXXXXXXXXX") || exit 1
trap 'rm -rf "$d"' EXIT HUP TERM INT
IFS= read -r password
printf '%s\n' "$password" >"$d/password"
printf '#!/bin/sh\ncat "%s/password"\n' "$d" >"$d/askpass"
chmod 700 "$d/askpass"
echo "$d/askpass"
while read -r -t 60 _; do :; done
"""


def _transport(host: Host) -> Any:
    client = getattr(host.connector, "client", None)
    return client.get_transport() if client is not None else None


def harden(host: Host) -> None:
    """Bound how long a dead link can keep us, `USER_TIMEOUT_MS` for data, keepalives besides; and
    have its end told as what pyinfra takes for the end of one host."""
    transport = _transport(host)
    if transport is None:
        return
    transport.set_keepalive(KEEPALIVE_SECONDS)
    if hasattr(transport.sock, "setsockopt"):  # a jump host's channel has none
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
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

    def keep(self, every: float) -> None:
        """Send a heartbeat every `every` seconds until the channel breaks."""

        def beat() -> None:
            with suppress(*LOST):
                while True:
                    gevent.sleep(every)
                    self.send("")

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


def lend_sudo_password(host: Host, password: str) -> None:
    """Let pyinfra's sudo read the password from a 0600 file that goes when we go.

    pyinfra would put the password into the command line of `env`, which every user of the host
    can read. It finds our askpass program where it keeps its own, and passes a placeholder.
    """
    held = hold(host, ASKPASS)
    held.send(password)
    path = held.first_line()
    if not path.startswith("/"):
        raise OSError("the host would not keep the sudo password in a private file")
    held.keep(20.0)
    host.connector_data[f"sudo_askpass_path__{host.get_temp_dir_config()}"] = path
    host.connector_data["prompted_sudo_password"] = NOT_THE_PASSWORD


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
