"""What is made of pyinfra's end: its JSON, its exit status, and what the site's code did to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llamarig import report
from llamarig.cli import deploy, runner
from llamarig.errors import UserError

PLAN = '{"plan": [{"name": "Switch", "hosts_with_change": ["a", "b"]}], "results": null}\n'


@pytest.mark.parametrize("noise", ["", "hello\n", '{"x": 1}\n', "no line end "])
def test_the_plan_is_read_whatever_the_site_prints(noise: str) -> None:
    document = runner._document((noise + PLAN).encode())
    assert document is not None
    assert document["plan"][0]["name"] == "Switch"


@pytest.mark.parametrize("output", ["", "hello\n", '{"plan": [{"na'])
def test_a_run_that_ended_early_has_no_plan(output: str) -> None:
    assert runner._document(output.encode()) is None


def test_the_report_of_a_plan_holds_it() -> None:
    hosts = {"a": report.empty(), "b": {**report.empty(), "problems": ["refused"]}}
    runner._add_plan(hosts, json.loads(PLAN)["plan"])
    assert hosts["a"]["operations"] == [{"name": "Switch", "outcome": "planned"}]
    assert hosts["b"]["operations"] == []


def plan(folder: Path, story: str) -> tuple[int, str, str, dict[str, object]]:
    """Exit status, stdout, stderr and report of `llamarig plan` for this machine."""
    (folder / "inventory.py").write_text('hosts = ["@local"]\n')
    (folder / "deploy.py").write_text(story)
    done = subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "plan", "inventory.py", "--json", "report.json"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    written = json.loads((folder / "report.json").read_text())
    return done.returncode, done.stdout, done.stderr, written["hosts"]["@local"]


@pytest.mark.parametrize(
    ("story", "line"),
    [
        ("x = 1\nraise ValueError('boo\\nfar')\n", "deploy.py, line 2: ValueError: boo"),
        ("import nix\n", "deploy.py, line 1: ModuleNotFoundError: No module named 'nix'"),
        ("import sys\nsys.exit(0)\n", "deploy.py, line 2: sys.exit"),
        (
            "from llamarig.tasks import preflight\npreflight.check(3)\n",
            "deploy.py, line 2: TypeError: check() takes 0 positional arguments but 1 was given",
        ),
    ],
)
def test_a_mistake_in_a_deploy_is_one_line(tmp_path: Path, story: str, line: str) -> None:
    code, told, said, found = plan(tmp_path, story)
    assert code == 1
    assert told == ""
    assert f"llamarig: {line}\n" in said
    assert "Traceback" not in said
    assert found["problems"] == [runner.EARLY]


def test_a_defect_of_ours_keeps_its_traceback(tmp_path: Path) -> None:
    story = "from llamarig.tasks import sudo\nsudo.become_root(None)\n"
    code, _, said, found = plan(tmp_path, story)
    assert code == 1
    assert "Traceback" in said
    assert found["problems"] == [runner.EARLY]


def test_a_deploy_that_does_nothing_is_told_what_it_lacks(tmp_path: Path) -> None:
    code, told, said, found = plan(tmp_path, "")
    assert (code, told) == (1, "")
    assert "deploy.py has no preflight.check()" in said
    assert found["problems"] == [runner.NO_PREFLIGHT]


def test_a_report_that_cannot_be_written_is_one_line() -> None:
    result = runner.Result({"a": report.empty()})
    with pytest.raises(UserError, match="--json /dev/full: No space left on device"):
        deploy.finish(result, Path("/dev/full"))


@pytest.mark.parametrize(("changes", "more"), [(True, "; jobs that run on hosts"), (False, "\n")])
def test_only_a_run_that_changes_speaks_of_jobs(
    changes: bool, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        deploy.finish(runner.Result({}, interrupted=True), None, changes=changes)
    assert end.value.code == deploy.INTERRUPTED
    assert f"llamarig: stopped{more}" in capsys.readouterr().err
