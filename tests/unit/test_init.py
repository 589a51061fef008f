from __future__ import annotations

import getpass
from pathlib import Path

import paramiko
import pytest
from click.testing import CliRunner, Result

from llamarig.cli.init import FILES, Site, init, render
from llamarig.cli.inventory import load, site_of
from llamarig.errors import UserError
from llamarig.host_data import read
from llamarig.site.addresses import SiteHost, parse

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(init, arguments)


def test_a_written_site_loads_and_its_settings_are_sound(tmp_path: Path) -> None:
    folder = tmp_path / "my site"
    key = tmp_path / "id_ed25519"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    done = run(
        *[str(folder), "--host", "gpu01=192.168.1.11", "--host", "gpu02.lan", "--user", "ops"],
        *["--key", str(key), "--port", "2222"],
    )

    assert done.exit_code == 0, done.output
    hosts = load(folder / "inventory.py")
    common = {
        "ssh_user": "ops",
        "ssh_port": 2222,
        "ssh_key": str(key),
        "ssh_known_hosts_file": str(folder / "known_hosts"),
        "ssh_strict_host_key_checking": "yes",
    }
    assert hosts["gpu01"].data == {**common, "ssh_hostname": "192.168.1.11"}
    assert hosts["gpu02.lan"].data == common
    assert hosts["gpu01"].groups == ("hosts", "inventory")
    settings, faults = read({name: host.data for name, host in hosts.items()})
    assert (len(settings), faults) == (2, [])
    assert site_of(folder / "inventory.py") == folder
    last = [line.split()[:2] for line in done.output.splitlines()[-4:]]
    assert last == [["llamarig", command] for command in ("trust", "doctor", "plan", "up")]
    assert f"'{folder}/inventory.py'" in done.output.splitlines()[-4]


def test_every_file_is_written_and_none_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data" / "all.py").write_text("mine")
    (tmp_path / "inventory.py").write_text("mine too")

    refused = run(str(tmp_path), "--host", "gpu01", "--user", "ops")

    assert isinstance(refused.exception, UserError)
    assert "inventory.py, group_data/all.py are there already" in str(refused.exception)
    assert (tmp_path / "group_data" / "all.py").read_text() == "mine"
    assert not (tmp_path / "deploy.py").exists()
    assert sorted(FILES) == sorted(render(Site([SiteHost("a", "a")], "ops")))


def test_all_faults_are_said_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    refused = run(
        *[str(tmp_path / "site"), "--user", "o ps", "--port", "70000", "--key", "/none/id.pub"],
        *["--host", "gpu_01=10.0.0.1", "--host", "b=10.0.0.300", "--host", "ops@c"],
        *["--host", "d:22", "--host", "e=10.0.0.5", "--host", "f=10.0.0.5", "--host", "all=g"],
    )

    assert str(refused.exception) == "nothing was written: 9 faults"
    assert refused.stderr.splitlines() == [
        "host 'gpu_01=10.0.0.1': a name is letters, digits, - and ., at most 63 of them",
        "host 'b=10.0.0.300': '10.0.0.300' is neither an IP address nor a host name",
        "host 'ops@c': an address has no user in it, say --user",
        "host 'd:22': an address has no port in it, say --port",
        "host 'f=10.0.0.5': the address 10.0.0.5 twice",
        "host 'all=g': all is the name of a group",
        "--user 'o ps': not a user's name",
        "--port 70000: a port is a whole number from 1 to 65535",
        "--key /none/id.pub: No such file or directory",
    ]
    assert not (tmp_path / "site").exists()


def test_without_a_terminal_the_options_are_named_and_no_user_is_taken(tmp_path: Path) -> None:
    refused = run(str(tmp_path / "site"))
    assert isinstance(refused.exception, UserError)
    assert refused.stderr.splitlines() == [
        "no hosts: give each with --host NAME=ADDRESS",
        "no user: say who logs in with --user NAME",
    ]
    assert not (tmp_path / "site").exists()
    taken = run(str(tmp_path / "site"), "--host", "gpu01", "--yes")
    assert taken.exit_code == 0
    assert taken.output.startswith(f"user: {getpass.getuser()}, as here (--user names another)\n")


def test_an_empty_folder_and_a_folder_for_a_key_are_refused(tmp_path: Path) -> None:
    empty = run("", "--host", "gpu01", "--user", "ops")
    assert "DIR is empty" in str(empty.exception)
    refused = run(
        str(tmp_path / "site"), "--host", "gpu01", "--user", "ops", "--key", str(tmp_path)
    )
    assert refused.stderr == f"--key {tmp_path}: is a folder, name the private key in it\n"


def test_what_is_typed_is_checked_at_once_and_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamarig.cli.init.can_ask", lambda: True)
    key = tmp_path / "id"
    paramiko.ECDSAKey.generate().write_private_key_file(str(key))
    typed = ["", "a=10.0.0.1", "b=10.0.0.300", "b=10.0.0.2", "", "o ps", "ops", "/none", str(key)]
    done = CliRunner().invoke(init, [str(tmp_path / "site")], "\n".join([*typed, ""]))
    assert done.exit_code == 0, done.output
    for words in ("At least one", "'10.0.0.300' is neither", "not a user's name", "No such file"):
        assert words in done.output
    hosts = load(tmp_path / "site" / "inventory.py")
    assert list(hosts) == ["a", "b"]
    assert hosts["b"].data["ssh_user"] == "ops"
    assert hosts["b"].data["ssh_key"] == str(key)


@pytest.mark.parametrize("address", ["10.0.0.1", "fe80::1", "gpu01", "gpu01.lan.", "xn--bcher-kva"])
def test_addresses_that_are_taken(address: str) -> None:
    assert parse([f"a={address}"]) == ([SiteHost("a", address)], [])


@pytest.mark.parametrize("address", ["", "1.2.3", "-a", "a..b", "a b", 'a"', "a/b", "@local"])
def test_addresses_that_are_refused(address: str) -> None:
    assert len(parse([f"a={address}"])[1]) == 1


def test_what_a_user_types_stays_text(tmp_path: Path) -> None:
    key = '~/"; import os; "{{ 1 }}\\'
    text = render(Site([SiteHost("a", "a")], "ops", key=key))["inventory.py"]
    names: dict[str, object] = {"__file__": str(tmp_path / "inventory.py")}
    exec(compile(text, "inventory.py", "exec"), names)
    assert names["hosts"] == [("a", names["_ssh"])]
    assert isinstance(names["_ssh"], dict)
    assert names["_ssh"]["ssh_key"] == key


def test_a_site_runs_the_same_story_as_the_repository() -> None:
    theirs = render(Site([SiteHost("a", "a")], "ops"))["deploy.py"]
    assert theirs == (ROOT / "deploy.py").read_text()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "group_data").write_text("a file where a folder must be")
    refused = run(str(tmp_path), "--host", "gpu01", "--user", "ops")
    assert isinstance(refused.exception, UserError)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["group_data"]
