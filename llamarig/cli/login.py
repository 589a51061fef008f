"""Logging in on a host as pyinfra would, and whether sudo works there."""

from __future__ import annotations

import contextlib
import getpass
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import paramiko

from llamarig.cli.connections import key_path
from llamarig.cli.hostkeys import TIMEOUT_S, UnreachableError, entry_name
from llamarig.cli.inventory import HostData
from llamarig.cli.terminal import can_ask

# A wrong password is answered after some seconds.
COMMAND_TIMEOUT_S = 20.0
_MOST_BYTES = 65536


@dataclass(frozen=True)
class Target:
    """Where SSH goes for a host, and with what; `options` are those of paramiko's connect."""

    address: str
    port: int
    user: str
    known_hosts: Path
    key: str | None
    options: dict[str, Any]

    @property
    def entry(self) -> str:
        """The host's name in a known_hosts file."""
        return entry_name(self.address, self.port)


class Shell(Protocol):
    """A host that runs commands."""

    def run(self, argv: str, stdin: str = "") -> tuple[int, str]:
        """Exit status and output, both streams together."""


def target_of(host: HostData, site: Path) -> Target:
    """What a host's data and the user's SSH configuration say, read as pyinfra reads them.

    Raises:
        UnreachableError: a proxy on the way can't be passed, or the key can't be read.
    """
    # Not at the top: pyinfra takes a while to import, and other commands need none of it.
    from pyinfra.api.exceptions import PyinfraError
    from pyinfra.connectors.ssh_util import load_key_with_certificate
    from pyinfra.connectors.sshuserclient.client import SSHClient

    data = host.data
    options: dict[str, Any] = {"timeout": TIMEOUT_S, "allow_agent": False, "look_for_keys": False}
    for option, key in (
        ("username", "ssh_user"),
        ("port", "ssh_port"),
        ("password", "ssh_password"),
    ):
        if data.get(key):
            options[option] = int(data[key]) if option == "port" else data[key]
    try:
        if data.get("ssh_key"):
            options["pkey"] = load_key_with_certificate(
                str(key_path(data["ssh_key"], site)),
                data.get("ssh_key_password"),
                allow_prompt=False,
            )
        else:
            options["allow_agent"] = data.get("ssh_allow_agent", True)
            options["look_for_keys"] = data.get("ssh_look_for_keys", True)
        parse: Any = SSHClient().parse_config
        address, config, _, _, files, _, _ = parse(
            data.get("ssh_hostname") or host.name,
            dict(options),
            ssh_config_file=data.get("ssh_config_file"),
        )
    except (PyinfraError, paramiko.SSHException, OSError, EOFError) as error:
        raise UnreachableError(str(error)) from None
    options = {**config, **options, **(data.get("ssh_paramiko_connect_kwargs") or {})}
    port, user = options.pop("port", 22), options.pop("username", None)
    named = data.get("ssh_known_hosts_file") or (files[0] if files else "~/.ssh/known_hosts")
    known_hosts = site / Path(named).expanduser()
    user = user or getpass.getuser()
    return Target(address, port, user, known_hosts, data.get("ssh_key"), options)


class Remote:
    """A host logged in to; close it."""

    def __init__(self, target: Target) -> None:
        """Log in.

        Raises:
            paramiko.AuthenticationException: the host takes neither key nor password.
            UnreachableError: no connection, or a key that the known_hosts file doesn't hold.
        """
        self._client = paramiko.SSHClient()
        self._client.load_host_keys(str(target.known_hosts))
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        limits = {"banner_timeout": TIMEOUT_S, "auth_timeout": TIMEOUT_S}
        try:
            self._client.connect(
                target.address, target.port, target.user, **{**limits, **target.options}
            )
        except paramiko.AuthenticationException:
            self.close()
            raise
        except TimeoutError:
            self.close()
            raise UnreachableError(
                f"{target.address}: no answer within {TIMEOUT_S:.0f} s"
            ) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise UnreachableError(f"{target.address}: {error}") from None

    def run(self, argv: str, stdin: str = "") -> tuple[int, str]:
        """See Shell; UnreachableError if the host doesn't answer."""
        transport = self._client.get_transport()
        assert transport is not None
        deadline = time.monotonic() + COMMAND_TIMEOUT_S
        try:
            channel = transport.open_session(timeout=TIMEOUT_S)
            channel.set_combine_stderr(True)
            channel.settimeout(COMMAND_TIMEOUT_S)
            channel.exec_command(argv)
            with contextlib.suppress(OSError):  # a command may end without reading
                channel.sendall(stdin.encode())
                channel.shutdown_write()
            output = b""
            while len(output) < _MOST_BYTES and time.monotonic() < deadline:
                if not (piece := channel.recv(4096)):
                    break
                output += piece
            if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
        except TimeoutError:
            raise UnreachableError(f"no answer to a command in {COMMAND_TIMEOUT_S:.0f} s") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise UnreachableError(f"the connection broke: {error}") from None
        return channel.exit_status, output.decode(errors="replace")

    def close(self) -> None:
        self._client.close()


class Local:
    """This machine itself, @local."""

    def run(self, argv: str, stdin: str = "") -> tuple[int, str]:
        """See Shell."""
        try:
            done = subprocess.run(
                ["sh", "-c", argv],
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnreachableError(f"no answer to a command in {COMMAND_TIMEOUT_S:.0f} s") from None
        return done.returncode, done.stdout

    def close(self) -> None:
        pass


# As pyinfra calls it, `sh -c`; -k: what sudo remembers of an earlier password doesn't count.
SUDO = "env LC_ALL=C sudo -k -n sh -c true"
SUDO_WITH_PASSWORD = "env LC_ALL=C sudo -k -S -p '' sh -c true"
_ASKS = r"password is required|authentication is required|terminal is required"
_WRONG = r"incorrect (password|authentication)|try again|authentication fail|no password was"
_NOT_ALLOWED = r"not in the sudoers|may not run sudo|not allowed to|I'm afraid I can't"


def sudo_answer(status: int, output: str) -> str:
    """What sudo's exit status and words mean: works, asks, wrong, refused, missing, or its words.

    Both sudo's own words and those of sudo-rs (Ubuntu since 25.10) are known.
    """
    if status == 0:
        return "works"
    if status == 127 or re.search(r"sudo.*(No such file|not found)", output):
        return "missing"
    for answer, words in (("refused", _NOT_ALLOWED), ("asks", _ASKS), ("wrong", _WRONG)):
        if re.search(words, output, re.IGNORECASE):
            return answer
    said = [line.strip() for line in output.splitlines() if line.strip()]
    return said[-1] if said else f"exit status {status}"


@dataclass(frozen=True)
class Sudo:
    """Whether sudo is ready for llamarig, and the words for it."""

    ready: bool
    words: str


def try_sudo(shell: Shell, password: str | None) -> Sudo:
    """Whether a login can become root: by itself, or with the password."""
    status, output = shell.run("id -u")
    if status != 0:
        return Sudo(False, f"commands do not run there: {output.strip()[:100] or status}")
    if output.strip() == "0":
        return Sudo(True, "root, needs no sudo")
    answer = sudo_answer(*shell.run(SUDO))
    if answer == "works":
        return Sudo(True, "sudo works without a password")
    if answer == "asks" and password is not None:
        answer = sudo_answer(*shell.run(SUDO_WITH_PASSWORD, password + "\n"))
        if answer == "works":
            return Sudo(True, "sudo works with the password")
    words = {
        "asks": "sudo asks for a password: set sudo_password_file, or type it when a command asks",
        "wrong": "sudo: wrong password; mend the file that sudo_password_file names",
        "refused": "sudo: the user is not in sudoers; on the host: adduser USER sudo",
        "missing": "no sudo installed; install it, or log in as root",
    }
    # Every command asks for it, once, where there is somebody to ask.
    return Sudo(answer == "asks" and can_ask(), words.get(answer, f"sudo: {answer}"))
