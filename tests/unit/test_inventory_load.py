from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from llamarig.cli.groups import group_faults
from llamarig.cli.inventory import VARIABLE, inventory_argument, load, site_of
from llamarig.errors import UserError


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_hosts_come_with_groups_and_merged_data_in_order(tmp_path: Path) -> None:
    file = write(
        tmp_path / "inventory.py",
        'print("hello")\nrtx4090 = [("gpu02", {"port": 8082}), "gpu01"]\ncpu = ["box01"]\n',
    )
    write(tmp_path / "group_data" / "all.py", 'port = 8081\nextra_args = ["-v"]\n')
    write(tmp_path / "group_data" / "cpu.py", 'backend = "cpu"\n')

    hosts = load(file)

    assert list(hosts) == ["gpu02", "gpu01", "box01"]
    assert hosts["gpu02"].data["port"] == 8082
    assert hosts["gpu01"].data == {"port": 8081, "extra_args": ["-v"]}
    assert hosts["box01"].data["backend"] == "cpu"
    assert "rtx4090" in hosts["gpu01"].groups
    assert "rtx4090" not in hosts["box01"].groups


def test_group_data_of_the_site_holds_for_inventories_a_folder_below(tmp_path: Path) -> None:
    file = write(tmp_path / "inventory" / "lan.py", 'hosts = ["gpu01"]\n')
    write(tmp_path / "deploy.py", "")
    write(tmp_path / "group_data" / "all.py", "port = 8081\ncontext = 1024\n")
    write(tmp_path / "inventory" / "group_data" / "all.py", "port = 8082\n")

    assert site_of(file) == tmp_path
    assert load(file)["gpu01"].data == {"port": 8082, "context": 1024}


def test_a_site_is_not_changed_by_the_folder_it_lies_in(tmp_path: Path) -> None:
    file = write(tmp_path / "site" / "inventory.py", 'hosts = ["gpu01"]\n')
    write(tmp_path / "site" / "deploy.py", "")
    write(tmp_path / "deploy.py", "")
    write(tmp_path / "group_data" / "all.py", "port = 8081\n")

    assert site_of(file) == tmp_path / "site"
    assert load(file)["gpu01"].data == {}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("inventory.py", 'hosts = [("g', "inventory.py, line 1: unterminated string literal"),
        ("inventory.py", "a = 1\nhosts = [1/0]\n", "ZeroDivisionError: division by zero"),
        ("inventory.py", "a = 1\nhosts = [1/0]\n", "line 2"),
        ("inventory.py", "import no_such_module\n", "No module named 'no_such_module'"),
        ("inventory.py", "hosts = []\n", "no hosts"),
        ("inventory.py", "raise SystemExit(3)\n", "ends Python (sys.exit)"),
        ("inventory.py", "raise KeyboardInterrupt\n", "line 1: KeyboardInterrupt"),
        ("inventory.py", "import os\nos._exit(3)\n", "ended with exit status 3"),
        ("inventory.py", "x = '\0'\n", "inventory.py: source code string cannot contain null"),
        ("inventory.py", 'hosts = ["a", "b", "a"]\n', "hosts: host a twice"),
        ("inventory.py", 'hosts = ("gpu1",)\n', "hosts: a group is a list"),
        ("inventory.py", 'hosts = [("a", None)]\n', "hosts: host 1: found (str, NoneType), a host"),
        ("inventory.py", 'hosts = ["a", ["b", {}]]\n', "host 2: found a value of type list"),
        ("inventory.py", 'hosts = [("", {})]\n', "hosts: host 1: '' is no name"),
        ("inventory.py", 'hosts = ["x" * 100000]\n', "…' is no name"),
        ("inventory.py", 'hosts = "gpu1"\n', "no hosts (hosts is a str)"),
        ("inventory.py", 'hosts = {"a": {}}\n', "no hosts (hosts is a dict)"),
        ("group_data/all.py", "port = = 1\n", "all.py, line 1: invalid syntax"),
        ("group_data/all.py", "x = 1\nport = nowhere\n", "name 'nowhere' is not defined"),
        ("group_data/all.py", "port = object()\n", "no plain literal"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(
    tmp_path: Path, name: str, text: str, expected: str
) -> None:
    write(tmp_path / "inventory.py", 'hosts = ["gpu01"]\n')
    write(tmp_path / name, text)

    with pytest.raises(UserError) as caught:
        load(tmp_path / "inventory.py")

    message = str(caught.value)
    assert expected in message
    assert str(tmp_path) in message
    assert "\n" not in message
    assert not (tmp_path / "pyinfra-debug.log").exists()


def test_a_host_may_be_in_several_groups_that_agree() -> None:
    same = {"hosts": [("a", {"port": 1})], "gpu": (["a", ("b", {})], {"context": 1}), "_x": (1,)}
    assert group_faults(same) == []
    assert group_faults({**same, "cpu": [("a", {"port": 2, "context": 1})]}) == [
        "host a: port differs between the groups hosts and cpu"
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_site_that_nobody_may_enter_is_one_line(tmp_path: Path) -> None:
    file = write(tmp_path / "site" / "inventory.py", 'hosts = ["gpu01"]\n')
    file.parent.chmod(0)
    code = "import os; from llamarig.cli.inventory import load; os.setuid(65534); "
    code += f"from pathlib import Path; load(Path({str(file)!r}))"
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last == f"llamarig.errors.UserError: {file}: Permission denied"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.py: no such inventory"):
        load(tmp_path / "none.py")
    write(tmp_path / "inventory.py", "")
    with pytest.raises(UserError, match=r"is a folder.*inventory\.py"):
        load(tmp_path)


@click.command()
@inventory_argument
def show(inventory: Path) -> None:
    click.echo(str(inventory))


def test_the_environment_names_the_inventory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "site/inventory.py")

    taken = CliRunner().invoke(show, [])
    given = CliRunner().invoke(show, ["lan.py"])

    assert taken.stdout == "site/inventory.py\n"
    assert taken.stderr == f"inventory: site/inventory.py (from {VARIABLE})\n"
    assert (given.stdout, given.stderr) == ("lan.py\n", "")


def test_without_any_inventory_both_ways_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    refused = CliRunner().invoke(show, [])

    assert isinstance(refused.exception, UserError)
    assert "show INVENTORY" in str(refused.exception)
    assert VARIABLE in str(refused.exception)
