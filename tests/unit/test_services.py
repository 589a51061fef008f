"""The lab's hub and git origin as processes: started once, ended wholly, others left alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llamarig.rehearsal import origin, services

LOOPBACK = "127.0.0.1"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    services.stop(tmp_path)


def listens(url: str) -> bool:
    place = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((place.hostname, place.port)) == 0


def test_git_clones_from_what_was_started_and_stop_ends_it(folder: Path) -> None:
    started = services.start(folder, LOOPBACK)
    argv = ["git", "ls-remote", started["git"], f"refs/tags/{origin.TAG}"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
    assert told.startswith(origin.COMMIT)
    assert listens(started["hub"])
    assert services.start(folder, LOOPBACK) == started  # a second start keeps what runs
    services.stop(folder)
    assert not listens(started["hub"])
    assert not listens(started["git"])


def test_a_service_that_died_is_started_again(folder: Path) -> None:
    before = services.start(folder, LOOPBACK)
    os.kill(json.loads((folder / "services/hub.json").read_text())["pid"], 9)
    after = services.start(folder, LOOPBACK)
    assert listens(after["hub"])
    assert after["git"] == before["git"]


def test_another_process_with_a_remembered_pid_is_left_alone(folder: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (folder / "services").mkdir()
        known = {"pid": stranger.pid, "port": 9, "bind": LOOPBACK, "argv": ["git", "daemon", "/x"]}
        (folder / "services/git.json").write_text(json.dumps(known))
        services.stop(folder)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
