"""The command line: what it runs, what it makes of a result."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from llamarig.cli import checks, deploy, runner, table
from llamarig.cli.inventory import HostData

PASSED = {
    "changed": 0, "unchanged": 9, "failed": 0, "operations": [], "problems": [], "release": "b1",
    "model": {"file": "m.gguf"},
    "smoke": {"verdict": "pass", "speedup": 2.04, "interval": [1.84, 2.26], "baseline_tps": 201.3,
              "mtp_tps": 424.0, "acceptance": 0.97},
}  # fmt: skip


def result(**hosts: object) -> runner.Result:
    return runner.Result(hosts)  # type: ignore[arg-type]


def test_a_pass_is_every_host_proven() -> None:
    assert deploy.proven(result(a=PASSED, b=PASSED))


@pytest.mark.parametrize(
    "change",
    [{"failed": 1}, {"problems": ["x"]}, {"smoke": None}, {"smoke": {"verdict": "undecided"}}],
)
def test_one_host_that_is_not_proven_fails_the_run(change: dict[str, object]) -> None:
    assert not deploy.proven(result(a=PASSED, b={**PASSED, **change}))


UNDECIDED = {**PASSED, "failed": 1, "problems": ["x"], "undecided": True}


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([PASSED], 0),
        ([PASSED, UNDECIDED], 3),
        ([UNDECIDED, {**PASSED, "failed": 1}], 1),
        ([{**PASSED, "problems": ["x"]}], 1),
    ],
)
def test_undecided_has_an_exit_status_of_its_own(
    hosts: list[dict[str, object]], status: int
) -> None:
    found = result(**{f"gpu{number}": each for number, each in enumerate(hosts)})
    assert deploy.status(found, deploy.deployed(found)) == status


def test_the_table_says_what_was_measured() -> None:
    assert table.row("gpu01", PASSED) == [
        "gpu01", "b1", "m.gguf", "201.3", "424.0", "2.04x [1.84, 2.26]", "97%", "pass",
    ]  # fmt: skip
    assert table.row("gpu02", {"problems": ["x"]})[-1] == "FAILED"
    assert table.row("gpu03", UNDECIDED)[-1] == "undecided"


def test_a_limit_is_by_name_pattern_and_group() -> None:
    hosts = {name: HostData(name, (group,), {}) for name, group in (("a1", "x"), ("b1", "y"))}
    assert [name for name, each in hosts.items() if checks.named(each, ("a*",))] == ["a1"]
    assert [name for name, each in hosts.items() if checks.named(each, ("y",))] == ["b1"]


def test_pyinfra_is_run_without_a_shell_and_with_the_sites_group_data(tmp_path: Path) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "deploy.py").touch()
    inventory = tmp_path / "inventory.py"
    inventory.touch()
    argv = runner.argv(inventory, "deploy.py", dry=True, limit=("a",))
    assert argv[1:3] == ["-m", "llamarig.cli.child"]
    assert argv[argv.index("--group-data") + 1] == str(tmp_path / "group_data")
    assert argv[argv.index("--limit") + 1] == "a"
    assert "--dry" in argv
    assert "--yes" not in argv


def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llamarig.cli", *words],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command", ["init", "trust", "plan", "up", "smoke", "status", "rehearse", "lab"]
)
def test_every_command_has_help(command: str, tmp_path: Path) -> None:
    done = call(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")


@pytest.mark.parametrize("group", [[], ["models"], ["key"], ["lab"]])
def test_a_list_of_commands_says_whole_sentences(group: list[str], tmp_path: Path) -> None:
    listed = call(*group, "--help", cwd=tmp_path).stdout.partition("Commands:\n")[2]
    assert listed
    assert "..." not in listed


def test_bad_settings_are_all_named_before_any_host_is_reached(tmp_path: Path) -> None:
    (tmp_path / "deploy.py").touch()
    (tmp_path / "inventory.py").write_text(
        'hosts = [("gpu01", {"port": 99999}), ("gpu02", {"contxt": 1})]\n'
    )
    done = call("up", "inventory.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "gpu01: port: found 99999, allowed: a whole number from 1024 to 65535" in done.stderr
    assert "gpu02: contxt: unknown key, nearest known: context" in done.stderr
    assert "Connecting" not in done.stderr


def test_all_that_can_be_known_before_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "inventory.py").write_text(
        'ssh = {"ssh_known_hosts_file": "known_hosts", "ssh_strict_host_key_checking": "yes"}\n'
        'hosts = [("gpu01", {**ssh, "port": 1, "ssh_key": "none"}),\n'
        '         ("gpu02", {"sudo_password_file": "/none"})]\ndel ssh\n'
    )
    (tmp_path / "llamarig.lock").write_text("models: {a b: {sha256: 12}}\n")
    done = call("up", "inventory.py", "--limit", "nobody", "--limit", "gpu*", cwd=tmp_path)
    assert done.returncode == 1
    expected = (
        "gpu01: port: found 1,",
        "gpu01: ssh_key: ",
        "sudo_password_file: /none: No such file or directory",
        "--limit nobody: names no host and no group (hosts: gpu01, gpu02; groups: ",
        "no deploy.py there",
        "llamarig.lock: models: a b: sha256: found 12, expected text in quotes; take it from your",
        "known_hosts: holds no key of gpu01 yet; first: llamarig trust inventory.py",
    )
    told = done.stderr.splitlines()
    assert told[0] == "llamarig: inventory.py: nothing was changed"
    assert len(told) == 1 + len(expected)
    for line, part in zip(told[1:], expected, strict=True):
        assert part in line


def test_a_deploy_that_is_no_python_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "inventory.py").write_text('hosts = ["gpu01"]\n')
    (tmp_path / "deploy.py").write_text("x = 1\ny = (\n")
    done = call("up", "inventory.py", cwd=tmp_path)
    assert "deploy.py, line 2: '(' was never closed" in done.stderr


def test_a_known_hosts_file_that_knows_nobody_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "deploy.py").touch()
    (tmp_path / "inventory.py").write_text(
        'hosts = [("gpu01", {"ssh_known_hosts_file": "known_hosts",\n'
        '                    "ssh_strict_host_key_checking": "yes"})]\n'
    )
    file = tmp_path / "known_hosts"
    for content in (b"", b"\xff\x00garbage\n", b"other ssh-ed25519 AAAA\n"):
        file.write_bytes(content)
        done = call("plan", "inventory.py", cwd=tmp_path)
        assert done.returncode == 1
        assert "llamarig trust inventory.py" in done.stderr
        assert str(file) in done.stderr
        assert "Traceback" not in done.stderr
        assert "Connecting" not in done.stderr
    file.unlink()
    file.mkdir()
    done = call("plan", "inventory.py", cwd=tmp_path)
    assert f"{file}: Is a directory; mend or remove it, then: llamarig trust" in done.stderr


def test_without_any_stdin_nobody_is_asked(tmp_path: Path) -> None:
    program = f"{sys.executable} -m llamarig.cli"
    for words, expected in (
        ("init site", "no hosts: give each with --host NAME=ADDRESS"),
        ("lab ssh gpu01 --user x id", "--user comes after HOST"),
        ("init ''", "DIR is empty"),
    ):
        done = subprocess.run(
            ["sh", "-c", f"{program} {words} <&-"],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert expected in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_nobody_reaches_is_reported_with_the_reason(tmp_path: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # and never listens
        port = unheard.getsockname()[1]
        (tmp_path / "deploy.py").touch()
        (tmp_path / "inventory.py").write_text(
            f'hosts = [("gpu01", {{"ssh_hostname": "127.0.0.1", "ssh_port": {port}}})]\n'
        )
        done = call("status", "inventory.py", "--json", "report.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "llamarig: no host could be reached" in done.stderr
    assert "gpu01: unreachable" in done.stdout
    entry = json.loads((tmp_path / "report.json").read_text())["hosts"]["gpu01"]
    assert entry["unreachable"] is True
    assert entry["problems"][0].startswith("unreachable: Could not connect")
