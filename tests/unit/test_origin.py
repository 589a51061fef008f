"""The git origin: one commit, the same everywhere, cloned as a host clones it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

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
                capture_output=True, text=True, check=False,
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
