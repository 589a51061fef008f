from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

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
        ("inventory.py", "raise SystemExit(3)\n", "gave no reason"),
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
