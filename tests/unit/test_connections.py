"""How hosts are reached: keys, addresses and data that can be known to be wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import get_type_hints

import paramiko
import pytest
from pyinfra.connectors.ssh import ConnectorData

from llamarig.cli import connections
from llamarig.cli.inventory import HostData
from llamarig.cli.login import target_of
from llamarig.errors import UserError


def faults(site: Path, **hosts: dict[str, object]) -> list[str]:
    return connections.faults(
        {name: HostData(name, (), data) for name, data in hosts.items()}, site
    )


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "id"
    paramiko.ECDSAKey.generate().write_private_key_file(str(file))
    return file


def test_the_keys_of_ssh_are_those_of_pyinfra() -> None:
    assert set(connections.SshData.model_fields) == set(get_type_hints(ConnectorData))


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            {"ssh_port": "22"},
            "ssh_port: found '22', allowed: a whole number from 1 to 65535 or None",
        ),
        ({"ssh_port": 99999}, "ssh_port: found 99999, allowed: a whole number from 1 to 65535"),
        ({"ssh_hostname": 5}, "ssh_hostname: found 5, allowed: text"),
        ({"ssh_key": 7}, "ssh_key: found 7, allowed: text"),
        ({"ssh_password": 7}, "ssh_password: found a value that is not shown, allowed: text"),
        ({"ssh_pasword": "x"}, "ssh_pasword: unknown key, nearest known: ssh_password"),
        ({"ssh_strict_host_key_checking": "on"}, "found 'on', allowed: \"yes\","),
        ({"ssh_paramiko_connect_kwargs": 1}, "found 1, allowed: a dict"),
        ({"ssh_hostname": "../x"}, "ssh_hostname: found '../x', allowed: a host name or an IP"),
        ({"ssh_hostname": "a b"}, "ssh_hostname: found 'a b'"),
    ],
)
def test_data_at_fault_names_the_host_and_the_key(
    tmp_path: Path, data: dict[str, object], line: str
) -> None:
    (found,) = faults(tmp_path, gpu01=data, gpu02={})
    assert found.startswith("gpu01: ")
    assert line in found


def test_names_that_are_no_address_are_named(tmp_path: Path) -> None:
    host = HostData("../x", (), {})
    line = "../x: name: found '../x', allowed: a host name or an IP address"
    assert connections.faults({"../x": host}, tmp_path) == [line]
    assert (
        faults(tmp_path, a_b={}, **{"x" * 63: {}, "2001:db8::1": {}, "b\u00fccher.lan": {}}) == []
    )


def test_a_connector_that_is_not_ssh_is_refused(tmp_path: Path) -> None:
    hosts = {
        name: HostData(name, (), {}, name[1:].split("/")[0]) for name in ("@docker/x", "@local")
    }
    assert connections.faults(hosts, tmp_path) == [
        "@docker/x: reached by docker: llamarig needs SSH, or @local"
    ]


def test_keys_that_cannot_log_in_are_named_with_what_to_do(tmp_path: Path, key: Path) -> None:
    made = tmp_path / "locked"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(made)]
    subprocess.run(argv, check=True, timeout=10)
    (tmp_path / "empty").touch()
    (tmp_path / "garbage").write_bytes(bytes(range(256)))
    public = Path(f"{made}.pub").rename(tmp_path / "public")
    for name, words in {
        "none": "No such file or directory",
        ".": "is a folder",
        "empty": "is empty",
        "garbage": "is no private key that can be read",
        public.name: "is the public half",
        made.name: "is encrypted: set ssh_key_password",
    }.items():
        (found,) = faults(tmp_path, gpu01={"ssh_key": name}, gpu02={})
        assert found.startswith(f"gpu01: ssh_key: {tmp_path / name}: {words}"), found
    assert faults(tmp_path, gpu01={"ssh_key": "locked", "ssh_key_password": "secret"}) == []
    (wrong,) = faults(tmp_path, gpu01={"ssh_key": "locked", "ssh_key_password": "no"})
    assert "or ssh_key_password is wrong" in wrong


def test_a_relative_key_is_one_of_the_site_for_everybody(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert faults(tmp_path, gpu01={"ssh_key": "id"}) == []
    assert target_of(HostData("gpu01", (), {"ssh_key": "id"}), tmp_path).options["pkey"]


def test_a_key_that_others_can_read_is_warned_of(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert faults(tmp_path, gpu01={"ssh_key": "id"}) == []
    assert capsys.readouterr().err == ""
    key.chmod(0o644)
    assert faults(tmp_path, gpu01={"ssh_key": "id"}) == []
    assert capsys.readouterr().err == f"{key}: others can read this key, chmod 600 it\n"


def test_entries_follow_the_users_ssh_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host gpu01\n  HostName 10.0.0.1\n  Port 2222\n")
    data: dict[str, object] = {"ssh_config_file": str(config)}
    assert connections.entry(HostData("gpu01", (), data)) == "[10.0.0.1]:2222"
    assert connections.entry(HostData("gpu01", (), {**data, "ssh_port": 22})) == "10.0.0.1"
    assert connections.entry(HostData("gpu02", (), data)) == "gpu02"
    assert connections.entry(HostData("gpu02", (), {"ssh_port": "x"})) is None


def test_a_password_file_without_a_password_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    for content, words in ((None, "No such"), (b"", "one line"), (b"\xff\xfe", "holds no text")):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UserError, match=words):
            connections.sudo_password(file)
        assert len(connections.sudo_passwords([file, file])[1]) == 1
    file.write_text("word\r\n")
    assert connections.sudo_passwords([file]) == ({file: "word"}, [])
