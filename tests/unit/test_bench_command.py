"""The command `bench`: what it refuses before anything is changed, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llamarig.cli import bench as command
from llamarig.cli import runner
from llamarig.errors import UserError
from llamarig.reports import walkthrough


def refused(*words: str) -> str:
    """The one thing that the command says; no inventory of this name exists."""
    found = CliRunner().invoke(command.bench, ["none.py", *words])
    assert isinstance(found.exception, UserError), found.output
    return str(found.exception)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--depths", "0,0"), "--depths 0,0: allowed: depths from 0 to 16"),
        (("--rounds", "0"), "--rounds 0: allowed: a whole number from 1 to 40"),
        (("--tokens", "0"), "--tokens 0: allowed: a whole number from 32 to 2048"),
        (("--suite", "none"), "--suite: "),
        (("--out", "/proc/none/of"), "--out /proc/none/of: No such file or directory; name a"),
        (("--out", "/dev/null"), "--out /dev/null: Not a directory; name a folder"),
        (("--out", "a\0b"), "--out"),
        ((), "none.py: no such inventory"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, monkeypatch: Any, words: Any, line: str) -> None:
    monkeypatch.chdir(tmp_path)
    found = refused(*words)
    assert found.startswith(line)
    assert "\n" not in found
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    inside = tmp_path / "there"
    inside.mkdir()
    (inside / "old").touch()
    assert refused("--out", str(inside)).startswith("none.py")
    assert refused("--out", str(tmp_path / "a" / "b" / "c")).startswith("none.py")
    assert [each.name for each in tmp_path.iterdir()] == ["there"]
    assert [each.name for each in inside.iterdir()] == ["old"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_somebody_elses(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in refused("--out", str(tmp_path / "a"))


def test_the_baseline_is_added_and_said() -> None:
    found = CliRunner().invoke(command.bench, ["none.py", "--depths", "3"])
    assert found.output == "--depths: 0 is measured too, everything is compared with it\n"
    assert CliRunner().invoke(command.bench, ["none.py", "--depths", "3,0"]).output == ""
    assert CliRunner().invoke(command.bench, ["none.py"]).output == ""


SOUND: dict[str, Any] = {"failed": 0, "problems": []}
MEASURED = {**SOUND, "bench": {"arms": {"n0": {}}, "verdict": None}}
BUSY = {**SOUND, "bench": {"arms": {"n0": {}}, "verdict": "undecided"}}


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([MEASURED], 0),
        ([MEASURED, BUSY], 3),
        ([MEASURED, {**SOUND, "bench": None}], 1),
        ([MEASURED, {**SOUND, "bench": {"verdict": "fail"}}], 1),
        ([BUSY, {**MEASURED, "problems": ["x"]}], 1),
        ([{**MEASURED, "failed": 1}], 1),
    ],
)
def test_how_it_ends(hosts: list[dict[str, Any]], status: int) -> None:
    found = runner.Result({f"gpu{number}": each for number, each in enumerate(hosts)})
    assert command.status(found) == status


@pytest.mark.parametrize(
    ("host", "folder"),
    [("gpu01", "gpu01"), ("@local", "_local"), ("10.0.0.1", "10.0.0.1"), ("..", "_."),
     ("a/../b", "a_.._b"), ("", "_"), ("é", "_")],
)  # fmt: skip
def test_a_host_is_one_folder_below(host: str, folder: str) -> None:
    assert command.folder_name(host) == folder


def test_the_files_are_written(tmp_path: Path) -> None:
    record = walkthrough.record()
    paths = command._write(record, tmp_path / "gpu01", "gpu01")
    names = {each.name for each in paths}
    assert {"report.html", "chart.png", "chart.svg", "record.json"} <= names
    assert json.loads((tmp_path / "gpu01" / "record.json").read_text())["arms"] == record["arms"]
    with pytest.raises(UserError, match="the figures are above"):
        command._write(record, tmp_path / "gpu01" / "report.html", "gpu01")
