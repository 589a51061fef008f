from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import pytest
from click.testing import CliRunner, Result

from llamarig.cli import hostkeys
from llamarig.cli.hostkeys import Known
from llamarig.cli.login import SUDO, SUDO_WITH_PASSWORD, Target, sudo_answer
from llamarig.cli.trust import Shown, print_keys, trust
from llamarig.errors import UserError

# A key made for this test, and what `ssh-keygen -lf` prints of it.
BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIJeJZ2P4YBQBQFqFpmtQBW2pHFgFXbAlCOEIr1DWsVZK"
ENTRY = f"gpu01 ssh-ed25519 {BLOB}\n"


def key_of(line: str) -> paramiko.PKey:
    entry = paramiko.hostkeys.HostKeyEntry.from_line(line)
    assert entry is not None
    assert entry.key is not None
    return entry.key


@pytest.fixture(scope="module")
def other_key() -> paramiko.PKey:
    return paramiko.ECDSAKey.generate()


def test_a_key_is_described_as_ssh_keygen_does(tmp_path: Path, other_key: paramiko.PKey) -> None:
    for entry, key in (("gpu01", key_of(ENTRY)), ("[10.0.0.1]:2222", other_key)):
        file = tmp_path / "key.pub"
        file.write_text(f"{key.get_name()} {key.get_base64()} {entry}\n")
        argv = ["ssh-keygen", "-lf", str(file)]
        printed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10)
        assert hostkeys.described(key, entry) == printed.stdout.strip()


@pytest.mark.parametrize("hashed", [False, True])
def test_new_known_and_changed_keys_are_told_apart(
    tmp_path: Path, other_key: paramiko.PKey, hashed: bool
) -> None:
    file = tmp_path / "known_hosts"
    name = paramiko.HostKeys.hash_host("gpu01") if hashed else "gpu01"
    file.write_text(f"# ours\n{name} ssh-ed25519 {BLOB}\n")
    known, key = hostkeys.read_known(file), key_of(ENTRY)

    assert hostkeys.compare(known, "gpu01", key) == Known("known")
    assert hostkeys.compare(known, "gpu02", key) == Known("new")
    assert hostkeys.compare(known, "[gpu01]:2222", key) == Known("new")
    changed = hostkeys.compare(known, "gpu01", other_key)
    assert changed == Known("changed", hostkeys.fingerprint(key))


def test_keys_are_added_at_the_end_and_nothing_there_changes(tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    key = key_of(ENTRY)

    hostkeys.append(file, {})
    assert not file.parent.exists()
    hostkeys.append(file, {"gpu01": key})
    assert file.read_text() == ENTRY
    assert file.stat().st_mode & 0o777 == 0o600

    file.write_text("# no line end")
    hostkeys.append(file, {"[gpu01]:22022": key})
    assert file.read_text() == f"# no line end\n[gpu01]:22022 ssh-ed25519 {BLOB}\n"


def test_the_command_to_forget_a_host_works(tmp_path: Path) -> None:
    file = tmp_path / "known hosts"
    hostkeys.append(file, {"[gpu01]:2222": key_of(ENTRY), "gpu02": key_of(ENTRY)})
    command = hostkeys.forget_command("[gpu01]:2222", file)
    subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=10)
    assert file.read_text() == ENTRY.replace("gpu01", "gpu02")


@pytest.mark.parametrize(("width", "lines"), [("40", 1), ("200", 5)])
def test_a_narrow_terminal_has_a_line_for_each_key(
    monkeypatch: pytest.MonkeyPatch, width: str, lines: int
) -> None:
    key = key_of(ENTRY)
    target = Target("a-host-with-a-long-name.lan", 2222, "ops", Path("known_hosts"), None, {})
    master, terminal = os.openpty()
    with open(terminal, "w") as stream:
        monkeypatch.setenv("COLUMNS", width)
        monkeypatch.setattr("sys.stdout", stream)
        print_keys([Shown("gpu01", target, key, Known("new"))])
        stream.flush()
        shown = os.read(master, 65536).decode()
    os.close(master)
    assert hostkeys.fingerprint(key) in shown
    assert target.entry in shown
    assert len(shown.strip().splitlines()) == lines


@pytest.mark.parametrize(
    ("status", "output", "answer"),
    [
        (0, "", "works"),
        (1, "sudo: a password is required\n", "asks"),
        (1, "sudo: interactive authentication is required\n", "asks"),
        (127, "env: 'sudo': No such file or directory\n", "missing"),
        (1, "ops is not in the sudoers file.\nThis incident has been reported\n", "refused"),
        (1, "Sorry, user ops is not allowed to execute '/bin/sh' as root on gpu01.\n", "refused"),
        (1, "sudo: I'm sorry ops. I'm afraid I can't do that\n", "refused"),
        (1, "Sorry, try again.\nsudo: no password was provided\n", "wrong"),
        (1, "sudo: 1 incorrect password attempt\n", "wrong"),
        (1, "sudo: Authentication failed, try again.\n", "wrong"),
        (1, "\nsudo: something new\n", "sudo: something new"),
        (3, "", "exit status 3"),
    ],
)
def test_what_sudo_says(status: int, output: str, answer: str) -> None:
    assert sudo_answer(status, output) == answer


@dataclass
class FakeHost(paramiko.ServerInterface):
    """An SSH server on loopback that takes one user's key and answers trust's commands."""

    key: paramiko.PKey
    user_key: paramiko.PKey
    sudo: tuple[int, str] = (0, "")
    password: str | None = None
    commands: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
                transport = paramiko.Transport(connection)
                transport.add_server_key(self.key)
                transport.start_server(server=self)
            except (OSError, EOFError, paramiko.SSHException):
                if self._socket.fileno() < 0:
                    return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
        self._socket.close()

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "ops" and key == self.user_key
        return paramiko.common.AUTH_SUCCESSFUL if good else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._answer, args=(channel, command.decode()), daemon=True).start()
        return True

    def _answer(self, channel: paramiko.Channel, command: str) -> None:
        self.commands.append(command)
        given = channel.makefile("rb").read().decode()
        status, output = 0, "1000\n"
        if command == SUDO:
            status, output = self.sudo
        elif command == SUDO_WITH_PASSWORD:
            good = given == f"{self.password}\n"
            status, output = (0, "") if good else (1, "Sorry, try again.\n")
        channel.sendall(output.encode())
        channel.send_exit_status(status)
        channel.close()


@dataclass
class Site:
    folder: Path
    hosts: dict[str, FakeHost]

    def write(self, **extra: object) -> None:
        common = {
            "ssh_hostname": "127.0.0.1",
            "ssh_user": "ops",
            "ssh_key": str(self.folder / "key"),
            "ssh_known_hosts_file": str(self.folder / "known_hosts"),
            "ssh_config_file": str(self.folder / "ssh_config"),
            **extra,
        }
        hosts = [(name, {**common, "ssh_port": host.port}) for name, host in self.hosts.items()]
        (self.folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")

    def trust(self, *arguments: str) -> Result:
        inventory = str(self.folder / "inventory.py")
        return CliRunner().invoke(trust, [inventory, *arguments])

    @property
    def known(self) -> str:
        file = self.folder / "known_hosts"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def site(tmp_path: Path, other_key: paramiko.PKey) -> Iterator[Site]:
    (tmp_path / "ssh_config").write_text("")
    user_key = paramiko.ECDSAKey.generate()
    user_key.write_private_key_file(str(tmp_path / "key"))
    hosts = {name: FakeHost(paramiko.ECDSAKey.generate(), user_key) for name in ("gpu01", "gpu02")}
    made = Site(tmp_path, hosts)
    made.write()
    yield made
    for host in hosts.values():
        host.close()


def test_new_hosts_are_shown_taken_and_logged_in_to_and_then_known(site: Site) -> None:
    refused = site.trust()
    assert refused.exit_code == 1
    assert "not taken" in refused.output
    assert site.known == ""

    first = site.trust("--yes")
    for name, host in site.hosts.items():
        entry = f"[127.0.0.1]:{host.port}"
        shown = hostkeys.described(host.key, entry)
        assert f"{name}: new key: {shown}" in first.output
        assert f"{name}: login works as ops; sudo works without a password" in first.output
        assert f"{entry} {host.key.get_name()} {host.key.get_base64()}\n" in site.known
    assert first.exit_code == 0
    assert first.output.splitlines()[-1] == f"next: llamarig doctor {site.folder}/inventory.py"

    before = site.known
    second = site.trust()
    assert second.exit_code == 0
    assert second.output.count("key known") == 2
    assert site.known == before


def test_a_changed_key_is_named_never_replaced_and_never_logged_in_to(
    site: Site, other_key: paramiko.PKey
) -> None:
    host = site.hosts["gpu01"]
    entry = f"[127.0.0.1]:{host.port}"
    hostkeys.append(site.folder / "known_hosts", {entry: other_key})
    before = site.known

    done = site.trust("--yes")

    assert done.exit_code == 1
    line = next(each for each in done.output.splitlines() if each.startswith("gpu01: CHANGED"))
    assert hostkeys.fingerprint(other_key) in line
    assert hostkeys.fingerprint(host.key) in line
    assert line.endswith(f"ssh-keygen -R '{entry}' -f {site.folder}/known_hosts")
    assert site.known.startswith(before)
    assert host.key.get_base64() not in site.known
    assert host.commands == []
    assert "gpu02: login works" in done.output
    assert "1 of 2 not ready" in done.output.splitlines()[-1]


def test_sudo_that_asks_takes_the_password_by_stdin_only(site: Site) -> None:
    for host in site.hosts.values():
        host.sudo, host.password = (1, "sudo: a password is required\n"), "pass'word $x"
    secret = site.folder / "sudo-password"

    asked = site.trust("--yes")
    assert asked.exit_code == 1
    assert asked.output.count("sudo asks for a password: set sudo_password_file") == 2

    secret.write_text("pass'word $x\n")
    secret.chmod(0o600)
    right = site.trust("--sudo-password-file", str(secret))
    assert right.exit_code == 0, right.output
    assert right.output.count("sudo works with the password") == 2

    secret.write_text("wrong\n")
    site.write(sudo_password_file=str(secret))
    wrong = site.trust()
    assert wrong.exit_code == 1
    assert wrong.output.count("sudo: wrong password") == 2
    commands = [each for host in site.hosts.values() for each in host.commands]
    assert not [each for each in commands if "pass'word" in each]
    assert "pass'word" not in asked.output + right.output + wrong.output


def test_a_refused_login_names_the_user_and_the_key(site: Site) -> None:
    site.write(ssh_user="root")
    done = site.trust("--yes")
    assert done.exit_code == 1
    denied = f"Permission denied (user root, key {site.folder}/key)"
    assert done.output.count(denied) == 2


def test_unreachable_hosts_take_a_line_each(site: Site) -> None:
    site.hosts["gpu01"].close()
    done = site.trust("--yes")
    assert done.exit_code == 1
    port = site.hosts["gpu01"].port
    assert f"gpu01: unreachable: 127.0.0.1 port {port}: Connection refused" in done.output
    assert "gpu02: login works" in done.output


def test_a_host_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostkeys, "TIMEOUT_S", 0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        pytest.raises(hostkeys.UnreachableError) as caught,
    ):
        hostkeys.fetch("127.0.0.1", mute.getsockname()[1])
    assert "127.0.0.1 port" in str(caught.value)


def test_a_password_file_that_is_unfit_is_named(site: Site) -> None:
    file = site.folder / "password"
    for text, expected in ((None, "No such file"), ("", "one line"), ("a\nb\n", "one line")):
        if text is not None:
            file.write_text(text)
        done = site.trust("--sudo-password-file", str(file))
        assert isinstance(done.exception, UserError)
        assert expected in str(done.exception)
    site.write(sudo_password_file=5, ssh_key="none")
    both = str(site.trust().exception).splitlines()
    assert both[0].endswith("inventory.py: no host was tried")
    assert "gpu01, gpu02: ssh_key: " in both[1]
    assert "all 2 hosts: sudo_password_file: found" in both[2]
