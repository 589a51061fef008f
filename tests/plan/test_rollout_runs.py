"""Rollouts as pyinfra runs them, over @fake hosts: real child processes, real reports."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from fake_fleet import FakeFleet

from llamarig.cli import rolling, runner, up
from llamarig.rollout.waves import Limits

# A rollout of its own process, as the command line makes one of hosts that it has checked.
PROGRAM = """
import sys
from pathlib import Path
from fake_fleet import FakeFleet
from llamarig.cli import rolling, up
from llamarig.rollout.waves import Limits
fleet = FakeFleet(Path("."), int(sys.argv[1]), float(sys.argv[2]))
result = rolling.roll(fleet.inventory, fleet.folder, fleet.hosts(), Limits(), {})
up._finish(Path("inventory.py"), result, Path("report.json"), None)
sys.exit(up.status(result))
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "TERM": "xterm"}


def roll(fleet: FakeFleet, **limits: Any) -> runner.Result:
    return rolling.roll(fleet.inventory, fleet.folder, fleet.hosts(), Limits(**limits), {})


def parts(result: runner.Result) -> list[tuple[str, int]]:
    assert result.rollout
    return [(part["kind"], len(part["hosts"])) for part in result.rollout["waves"]]


def test_a_fleet_comes_up_and_the_second_run_is_one_look(tmp_path: Path) -> None:
    fleet = FakeFleet(tmp_path, 5)
    first = roll(fleet)
    assert parts(first) == [("look", 5), ("canary", 1), ("stage", 4), ("wave", 2), ("wave", 2)]
    assert fleet.live() == ["gpu01", "gpu02", "gpu03", "gpu04", "gpu05"]
    assert up.status(first) == 0
    again = roll(fleet)
    assert parts(again) == [("look", 5)]
    assert up.status(again) == 0
    assert {entry["changed"] for entry in again.hosts.values()} == {0}


def test_a_canary_that_fails_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    fleet = FakeFleet(tmp_path, 3)
    fleet.data["@fake/gpu01"]["site_fails"] = "prove"
    result = roll(fleet)
    assert parts(result) == [("look", 3), ("canary", 1)]
    assert [path.name for path in (tmp_path / "memory").iterdir()] == ["staged gpu01"]
    assert up.status(result) == 1
    assert rolling.ending(result, "llamarig up lan.py") == [
        "@fake/gpu01: FAILED: 1.01x [0.99, 1.03], below the gate of 1.7x",
        "left as they are, the canary failed: @fake/gpu02, @fake/gpu03",
        "next: mend what the lines above name, then again, it goes on: llamarig up lan.py",
        "or go on without @fake/gpu01: llamarig up lan.py --exclude @fake/gpu01",
    ]


def test_one_that_cannot_be_staged_is_named_and_the_others_serve(tmp_path: Path) -> None:
    fleet = FakeFleet(tmp_path, 4)
    fleet.data["@fake/gpu03"]["site_fails"] = "stage"
    result = roll(fleet)
    assert fleet.live() == ["gpu01", "gpu02", "gpu04"]
    assert up.status(result) == 1
    lines = rolling.ending(result, "llamarig up lan.py")
    assert lines[0] == "@fake/gpu03: FAILED: hf_home: 1.0 GiB free at /data, 18.0 GiB needed"
    assert len(lines) == 2


def test_24_hosts_stay_readable(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fleet = FakeFleet(tmp_path, 24)
    result = roll(fleet)
    told = capfd.readouterr().err.splitlines()
    assert parts(result)[:3] == [("look", 24), ("canary", 1), ("stage", 23)]
    assert len(fleet.live()) == 24
    assert "llamarig: something to do on 24 of 24 hosts" in told
    assert "llamarig: stage 23 hosts" in told
    # Of each host what changed on it, and no word of pyinfra's.
    assert sum(line == "[@fake/gpu24] changed: Server | Stage a generation" for line in told) == 1
    assert not [line for line in told if line.startswith("-->") or line.endswith("Connected")]
    progress = [line for line in told if "measure" in line]
    assert 24 <= len(progress) <= 24 * 12
    assert not [line for line in told if "\x1e" in line or "Traceback" in line]


def test_a_host_named_like_a_group_is_run_alone(tmp_path: Path) -> None:
    fleet = FakeFleet(tmp_path, 3)
    inventory = fleet.inventory
    # pyinfra takes a --limit for a group first; here all hosts are in the group "@fake".
    fleet.data["@fake"] = fleet.data.pop("@fake/gpu01")
    result = rolling.roll(fleet.inventory, inventory.parent, fleet.hosts(), Limits(), {})
    assert parts(result)[1:3] == [("canary", 1), ("stage", 2)]
    assert sorted(result.hosts) == ["@fake", "@fake/gpu02", "@fake/gpu03"]
    assert up.status(result) == 0


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    fleet = FakeFleet(tmp_path, 2)
    result = roll(fleet)
    rollout = json.loads(json.dumps(result.rollout))
    assert rollout["left"] == []
    assert rollout["waves"][1]["hosts"] == ["@fake/gpu01"]
    assert rollout["waves"][1]["seconds"] > 0


def test_ctrl_c_in_a_wave_names_who_was_left_and_the_next_run_goes_on(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "3", "3"], cwd=tmp_path, env=environment(), text=True,
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        # A test run in the background ignores it, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert child.stderr
    for line in child.stderr:
        if line.startswith("[@fake/gpu02] prove generation 1: measure"):
            os.killpg(child.pid, signal.SIGINT)
            break
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "llamarig: left as they are: @fake/gpu02, @fake/gpu03" in told
    assert "Traceback" not in told
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["rollout"]["left"] == ["@fake/gpu02", "@fake/gpu03"]
    result = roll(FakeFleet(tmp_path, 3))
    assert parts(result) == [("look", 3), ("canary", 1), ("wave", 1)]
    assert len(list((tmp_path / "memory").glob("live *"))) == 3


def on_a_terminal(folder: Path, *words: str) -> tuple[int, str]:
    """Run the program where stdout and stderr are a terminal of 80 columns: its status, and its
    output without colours."""
    child, stream = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.chdir(folder)
        os.execve(sys.executable, [sys.executable, "-c", PROGRAM, *words], environment())
    output = b""
    while True:
        try:
            read = os.read(stream, 65536)
        except OSError:
            break
        if not read:
            break
        output += read
    os.close(stream)
    text = re.sub(r"\x1b\[[0-9;]*m", "", output.decode(errors="replace"))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def test_a_terminal_has_a_live_table_and_then_the_result(tmp_path: Path) -> None:
    code, told = on_a_terminal(tmp_path, "3", "0.5")
    assert code == 0, told
    assert re.search("host +preflight build model stage proof switch", told)
    assert "measure" in told
    assert "Traceback" not in told
    end = told[told.rindex("wave 2 of 2") :]
    assert "1.98x" in end
    assert "@fake/gpu03: " in end
    assert "http://gpu03:8080" in end
