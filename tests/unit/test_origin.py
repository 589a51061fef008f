"""The git origin: one commit, the same everywhere, cloned as a host clones it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from llamarig.errors import UserError
from llamarig.rehearsal import origin


def tree(folder: Path) -> Path:
    folder.mkdir()
    (folder / ".gitignore").write_text("build/\n")
    (folder / "build").mkdir()
    (folder / "build" / "kept.txt").write_text("ignored by the tree, kept by us\n")
    script = folder / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    return folder


def test_the_commit_depends_on_nothing_but_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = origin.commit(tree(tmp_path / "a"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert origin.commit(tree(tmp_path / "b")) == first
    other = tree(tmp_path / "c")
    (other / "more").write_text("x")
    assert origin.commit(other) != first


def fill(folder: Path) -> None:
    (folder / "file").write_text("content\n")


def never(folder: Path) -> None:
    raise AssertionError(f"{folder}: made again")


def expected(tmp_path: Path) -> str:
    (tmp_path / "once").mkdir()
    fill(tmp_path / "once")
    return origin.commit(tmp_path / "once")


def test_a_repository_is_made_once(tmp_path: Path) -> None:
    made, place = expected(tmp_path), tmp_path / "origin" / "x.git"
    assert origin.publish(place, fill, made) == place
    assert origin.publish(place, never, made) == place
    assert [path.name for path in place.parent.iterdir()] == ["x.git"]


def test_a_damaged_repository_is_made_anew(tmp_path: Path) -> None:
    made, place = expected(tmp_path), tmp_path / "origin" / "x.git"
    origin.publish(place, fill, made)
    (place / "HEAD").unlink()
    origin.publish(place, fill, made)
    assert (place / "HEAD").exists()
    assert [path.name for path in place.parent.iterdir()] == ["x.git"]


def test_another_commit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "origin" / "x.git"
    with pytest.raises(UserError, match="expected 0000"):
        origin.publish(place, fill, "0" * 40)
    assert list(place.parent.iterdir()) == []


def test_a_shallow_clone_by_tag_has_everything(tmp_path: Path) -> None:
    made = origin.commit(tree(tmp_path / "tree"))
    bare = tmp_path / "base" / "x.git"
    bare.parent.mkdir()
    subprocess.run(["git", "clone", "-q", "--bare", str(tmp_path / "tree"), str(bare)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = subprocess.Popen(
        ["git", "daemon", f"--base-path={bare.parent}", "--export-all", "--listen=127.0.0.1",
         f"--port={port}", str(bare.parent)],
        start_new_session=True,
    )  # fmt: skip
    try:
        clone = tmp_path / "clone"
        for _ in range(50):
            done = subprocess.run(
                ["git", "clone", "-q", "--depth", "1", "--branch", origin.TAG,
                 f"git://127.0.0.1:{port}/x.git", str(clone)],
                capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            if done.returncode == 0:
                break
            time.sleep(0.1)
        head = subprocess.check_output(["git", "-C", str(clone), "rev-parse", "HEAD"], text=True)
        assert head.strip() == made
        assert (clone / "build" / "kept.txt").exists()
        assert os.access(clone / "run.sh", os.X_OK)
    finally:
        os.killpg(daemon.pid, 15)
        daemon.wait(5)
