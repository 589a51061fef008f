"""A lock that is no longer renewed can be broken, any other can't; the scripts run for real."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamarig.tasks.operations import host_lock, lock_break

HERE = socket.gethostname()
OWNER = '{"owner": "ada@desk", "since": "today", "lease_seconds": 60}'


def ended() -> int:
    """The number of a process that is over."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_a_run_of_this_machine_that_ended_left_its_lock_behind() -> None:
    pid = ended()
    assert lock_break.left_behind({"machine": HERE, "pid": pid})
    assert not lock_break.left_behind({"machine": HERE, "pid": os.getpid()})
    assert not lock_break.left_behind({"machine": f"not-{HERE}", "pid": pid})
    assert not lock_break.left_behind({})


@pytest.mark.parametrize(
    ("other", "breakable"),
    [
        ({"idle_seconds": 29, "lease_seconds": 60}, False),
        ({"idle_seconds": 30, "lease_seconds": 60}, True),  # two heartbeats are missing
        ({"idle_seconds": 100, "lease_seconds": 600}, False),  # its owner's lease counts
        ({"idle_seconds": 40}, True),
        ({}, False),
        ({"idle_seconds": 0, "machine": HERE, "pid": os.getpid()}, False),
    ],
)
def test_what_is_renewed_is_not_stale(other: dict[str, Any], breakable: bool) -> None:
    assert lock_break.stale(other, 60) is breakable


def test_a_run_of_this_machine_that_ended_need_not_be_waited_for() -> None:
    assert lock_break.stale({"idle_seconds": 0, "machine": HERE, "pid": ended()}, 60)


@pytest.mark.parametrize("answer", ["", "taken?", "12 {", "x {}", "12 []", " {}"])
def test_an_answer_that_is_none_names_no_owner(answer: str) -> None:
    assert "owner" not in host_lock.told(answer)


class Holder:
    """The process that holds a lock, as it runs on a host."""

    def __init__(self, lock: Path, lease: int = 60) -> None:
        script = host_lock.HOLDER.format(lock=lock, patience=0, owner=f"'{OWNER}'", lease=lease)
        self.process = subprocess.Popen(
            ["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.answer = self.process.stdout.readline().strip()

    def beat(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[Holder]:
    first = Holder(lock)
    assert first.answer == "taken"
    yield first
    first.process.kill()
    first.process.wait()


def older(lock: Path, seconds: int) -> None:
    """As if the last heartbeat were so long ago."""
    then = time.time() - seconds
    os.utime(lock, (then, then))


def broken(lock: Path, least: int) -> str:
    script = lock_break.SCRIPT.format(lock=lock, least=least)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_second_is_told_the_owner_and_the_last_heartbeat(lock: Path, holder: Holder) -> None:
    older(lock, 40)
    other = host_lock.told(Holder(lock).answer)
    assert other["owner"] == "ada@desk"
    assert 40 <= other["idle_seconds"] < 60


def test_a_heartbeat_renews_the_lock(lock: Path, holder: Holder) -> None:
    older(lock, 1000)
    holder.beat()
    deadline = time.monotonic() + 20
    while time.time() - lock.stat().st_mtime > 500:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stale_lock_is_broken_and_can_be_taken(lock: Path, holder: Holder) -> None:
    older(lock, 40)
    assert broken(lock, 30) == "broken"
    assert holder.process.wait(20) == -9
    second = Holder(lock)
    assert second.answer == "taken"
    second.process.kill()
    second.process.wait()


def test_a_lock_that_was_renewed_meanwhile_is_left_alone(lock: Path, holder: Holder) -> None:
    older(lock, 29)
    assert broken(lock, 35) == "renewed"
    assert holder.process.poll() is None
    assert Holder(lock).answer != "taken"


def test_breaking_what_nobody_holds_is_no_failure(lock: Path) -> None:
    lock.touch()
    assert broken(lock, 0) == "broken"
