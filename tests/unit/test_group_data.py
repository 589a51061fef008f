from __future__ import annotations

import ast
from pathlib import Path

import pytest

from llamarig.cli.inventory import load
from llamarig.host_data import read
from llamarig.settings import Settings
from llamarig.site.defaults import PARTS, defaults

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "group_data"


def test_all_py_says_what_the_settings_say() -> None:
    assert (FOLDER / "all.py").read_text() == defaults(), (
        "make it anew: python -m llamarig.site.defaults > group_data/all.py"
    )


def test_all_py_sets_nothing() -> None:
    assert ast.parse((FOLDER / "all.py").read_text()).body == []


def test_every_key_stands_there_once_and_taking_the_comments_away_gives_the_defaults() -> None:
    live = [
        line.removeprefix("# ")
        for line in defaults().splitlines()
        if line.startswith("# ") and " = " in line and not line.startswith("#  ")
    ]
    values = {}
    for statement in ast.parse("\n".join(live)).body:
        assert isinstance(statement, ast.Assign)
        (target,) = statement.targets
        assert isinstance(target, ast.Name)
        assert target.id not in values
        values[target.id] = ast.literal_eval(statement.value)
    assert values == Settings().model_dump()
    assert set(PARTS) <= set(values)


@pytest.mark.parametrize("name", ["cpu", "rtx4090"])
def test_group_data_are_plain_literals_that_are_sound(name: str) -> None:
    values = {}
    for statement in ast.parse((FOLDER / f"{name}.py").read_text()).body:
        assert isinstance(statement, ast.Assign), "plain literals only"
        (target,) = statement.targets
        assert isinstance(target, ast.Name)
        values[target.id] = ast.literal_eval(statement.value)
    assert values
    assert read({name: values})[1] == []


@pytest.mark.parametrize(
    ("file", "names"), [("local.py", ["@local"]), ("lan.example.py", ["gpu01", "gpu02"])]
)
def test_the_inventories_load_with_the_group_data(file: str, names: list[str]) -> None:
    hosts = load(ROOT / "inventory" / file)
    assert list(hosts) == names
    settings, faults = read({name: host.data for name, host in hosts.items()})
    assert faults == []
    assert settings[names[0]].cuda_architecture == 89
    assert "rtx4090" in hosts[names[0]].groups
    assert not [group for host in hosts.values() for group in host.groups if group.startswith("_")]
