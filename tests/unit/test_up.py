"""What `up` makes of its words and of a rollout's result."""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from llamarig import report
from llamarig.cli import checks, junit, rolling, runner, up
from llamarig.rollout.parts import CANARY, LOOK, STAGE, WAVE, Part

PASSED = {**report.empty(), "smoke": {"verdict": "pass", "speedup": 2.04}}
KEPT = {**report.empty(), "smoke": {"verdict": "fail", "kept": True}}
FAILED = {**report.empty(), "failed": 1, "problems": ["below the gate", "nothing serves"]}
UNDECIDED = {**FAILED, "undecided": True}
LEFT = report.empty()


def result(left: tuple[str, ...] = (), **hosts: dict[str, Any]) -> runner.Result:
    stopped = "the canary failed" if left else None
    return runner.Result(hosts, rollout={"waves": [], "stopped": stopped, "left": list(left)})


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (result(a=PASSED, b=KEPT), 0),
        (runner.Result({"a": PASSED}), 0),
        (runner.Result({"a": UNDECIDED}), 3),
        (result(("b",), a=FAILED, b=LEFT), 1),
        (result(("b", "c"), a=UNDECIDED, b=LEFT, c=LEFT), 3),  # what was left is no other fault
        (result(("c",), a=UNDECIDED, b=FAILED, c=LEFT), 1),
        (result(a=PASSED, b=LEFT), 1),  # nothing is known of it, and nothing stopped
    ],
)
def test_exit_statuses(found: runner.Result, status: int) -> None:
    assert up.status(found) == status


def test_the_end_names_causes_those_left_and_the_next_command() -> None:
    many = tuple(f"gpu{number:02}" for number in range(3, 25))
    found = result(many, gpu01=PASSED, gpu02=FAILED, **dict.fromkeys(many, LEFT))
    lines = rolling.ending(found, "llamarig up lan.py")
    assert lines[0] == "gpu02: FAILED: below the gate"
    assert lines[1].startswith("left as they are, the canary failed: gpu03, gpu04,")
    assert lines[1].endswith("and 10 more")
    assert lines[-1] == "or go on without gpu02: llamarig up lan.py --exclude gpu02"
    assert rolling.ending(result(a=PASSED), "llamarig up lan.py") == []


def test_each_part_is_told_how_far_it_goes_and_what_is_behind_it() -> None:
    data = {up.BREAK_LOCK: "1"}

    def told(kind: str) -> dict[str, str]:
        return rolling.told(Part(kind, ("a",), ""), data)

    assert told(LOOK) == {"_until": "look"}  # it takes no lock
    assert told(CANARY) == told(WAVE) == {**data, "_after": "look"}
    assert told(STAGE) == {**data, "_until": "stage", "_after": "look"}


@pytest.mark.parametrize("name", ["gpu01", "@local", "10.0.0.1", "a[1]", "[x]", "a*", "?b", "-"])
def test_a_host_is_named_exactly(name: str) -> None:
    pattern = checks.exactly(name)
    assert fnmatch(name, pattern)
    others = ["gpu0", "gpu011", "xgpu01", "local", "a1", "ab", "xb", "x", ""]
    assert not [other for other in others if fnmatch(other, pattern)]
    # pyinfra takes what is a group's name for the group.
    assert name == "-" or pattern != name


def test_the_junit_of_a_rollout_tells_who_was_left() -> None:
    found = result(("c",), a=PASSED, b=KEPT, c=LEFT, d=FAILED)
    told = up.reached(found)
    root = ElementTree.fromstring(junit.document(told, "up"))
    suite = root[0]
    assert suite.get("name") == "llamarig up"
    troubles = {case.get("name"): [each.get("message") for each in case if each.tag != "properties"]
                for case in suite}  # fmt: skip
    assert troubles == {
        "a": [], "b": [], "c": ["left as it is: the rollout stopped before its turn"],
        "d": ["below the gate"],
    }  # fmt: skip


def call(folder: Path, *words: str) -> list[str]:
    (folder / "deploy.py").touch()
    (folder / "inventory.py").write_text(
        'lab = ["gpu01", ("gpu02", {"rollout_batch": 3})]\nothers = ["gpu03"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "up", "inventory.py", *words],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--batch", "0"], "--batch 0: a count or a share"),
        (["--batch", "33 %"], "--batch '33 %': a count or a share"),
        (["--exclude", "gpu9"], "--exclude gpu9: names no host and no group (hosts: gpu01, "),
        (["--exclude", "lab", "--exclude", "gpu03"], "--exclude: leaves no host"),
        (["--limit", "others", "--exclude", "gpu0?"], "--exclude: leaves no host"),
        ([], "rollout_batch: hosts differ (gpu01 25%, gpu02 3): say it once, or with --batch"),
    ],
)
def test_mistakes_are_one_line_before_any_host_is_reached(
    tmp_path: Path, words: list[str], line: str
) -> None:
    told = call(tmp_path, *words)
    assert any(line in each for each in told), told
    assert not any("Connecting" in each or "Traceback" in each for each in told)
