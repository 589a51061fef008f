"""The job runner: what it runs, what it writes, what it never lets live on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def stage(script: str, name: str = "work", **values: Any) -> dict[str, Any]:
    return {
        "name": name, "argv": ["/bin/sh", "-c", script], "cwd": None,
        "env": {"PATH": "/usr/bin:/bin"}, "timeout_s": 20, **values,
    }  # fmt: skip


def launch(folder: Path, stages: list[dict[str, Any]], limit: int = 10**6) -> subprocess.Popen[str]:
    job = {"id": "j", "title": "t", "unit": "steps", "output_limit_bytes": limit, "stages": stages}
    (folder / "job.json").write_text(json.dumps(job))
    return subprocess.Popen(
        [sys.executable, "-m", "llamarig.onhost", "job", str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def run(folder: Path, *stages: dict[str, Any], limit: int = 10**6) -> tuple[int, dict[str, Any]]:
    child = launch(folder, list(stages), limit)
    child.communicate(timeout=30)
    return child.returncode, json.loads((folder / "status.json").read_text())


def alive(pid: int) -> bool:
    """A zombie that nobody reaped yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_stages_run_in_order_and_progress_is_read(tmp_path: Path) -> None:
    code, status = run(tmp_path, stage("echo one", "a"), stage("echo '[3/7] Building'", "b"))
    assert (code, status["state"], status["rc"]) == (0, "succeeded", 0)
    assert (status["done"], status["total"]) == (3, 7)
    assert status["tail"] == ["one", "[3/7] Building"]
    assert status["finished"] >= status["started"]


def test_a_failing_stage_ends_the_job_with_its_own_status(tmp_path: Path) -> None:
    code, status = run(tmp_path, stage("echo broken; exit 7", "a"), stage("echo never", "b"))
    assert (code, status["state"], status["stage"], status["rc"]) == (7, "failed", "a", 7)
    assert status["message"] == "a failed with exit status 7: broken"
    assert "never" not in status["tail"]


def test_a_programs_own_reason_wins(tmp_path: Path) -> None:
    _, status = run(tmp_path, stage("echo 'llamarig: disk is full'; echo later; exit 1"))
    assert status["message"] == "disk is full"


def test_the_seconds_of_every_stage_are_kept_as_it_ends(tmp_path: Path) -> None:
    look = f"cp {tmp_path}/status.json {tmp_path}/seen.json; exit 3"
    _, status = run(tmp_path, stage("sleep 0.3", "a"), stage(look, "b"))
    seen = json.loads((tmp_path / "seen.json").read_text())
    (first,) = seen["stages"]  # what a later stage can read of the earlier ones
    assert first["name"] == "a"
    assert 0.3 <= first["seconds"] < 20
    assert [each["name"] for each in status["stages"]] == ["a", "b"]


def test_a_missing_program_is_one_line(tmp_path: Path) -> None:
    code, status = run(tmp_path, stage("", argv=["/nowhere/cmake"]))
    assert (code, status["message"]) == (127, "work: /nowhere/cmake: No such file or directory")


def test_time_is_bounded_and_nothing_lives_on(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = f"sleep 60 & echo $! >{mark}; echo started; wait"
    code, status = run(tmp_path, stage(script, timeout_s=1))
    assert (code, status["message"]) == (124, "work ran longer than 1 s")
    assert not alive(int(mark.read_text()))


def test_output_is_bounded(tmp_path: Path) -> None:
    code, status = run(tmp_path, stage("yes"), limit=100_000)
    assert (code, status["message"]) == (125, "work printed more than 100000 bytes")


def test_environment_is_exactly_what_was_given(tmp_path: Path) -> None:
    os.environ["LLAMARIG_LEAK"] = "1"
    try:
        _, status = run(tmp_path, stage("env; read x || echo no-stdin", env={"ONLY": "this"}))
    finally:
        del os.environ["LLAMARIG_LEAK"]
    names = {line.split("=")[0] for line in status["tail"]}
    assert "ONLY" in names
    assert "LLAMARIG_LEAK" not in names
    assert "no-stdin" in status["tail"]


def test_a_stopped_job_says_so(tmp_path: Path) -> None:
    child = launch(tmp_path, [stage("echo up; sleep 60")])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and "up" not in _tail(tmp_path):
        time.sleep(0.05)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=30)
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["state"], status["message"]) == ("failed", "work was stopped")


def _tail(folder: Path) -> list[str]:
    path = folder / "status.json"
    return list(json.loads(path.read_text())["tail"]) if path.exists() else []
