"""`models verify` and `models prune`: the lines people read, and a run on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llamarig.cli import models_prune, models_verify
from llamarig.tasks import model_verify

SICK = {"problems": ["x"], "failed": 1}
RIGHT: dict[str, Any] = {
    "verdict": "right", "words": "/data/m.gguf", "bytes": 16_800_000_000, "seconds": 16.0,
    "generations": [], "renamed": None, "source": "hub",
}  # fmt: skip
WRONG = {**RIGHT, "verdict": "wrong", "words": "/b has sha256 1, its record says 2"}


def test_a_right_model_is_said_with_its_speed() -> None:
    line = models_verify.summary({"verified": RIGHT})
    assert line == "right: 16.80 GB in 16.0 s (1050 MB/s), /data/m.gguf"


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (SICK, "not verified, the lines above say why"),
        ({**SICK, "verified": WRONG}, "wrong, the lines above say more"),
    ],
)
def test_a_host_without_a_right_model_says_so(entry: dict[str, Any], line: str) -> None:
    assert models_verify.summary(entry) == line


@pytest.mark.parametrize(
    ("change", "end"),
    [
        ({"renamed": "/b.damaged"}, "it is /b.damaged now; `llamarig up` brings it anew"),
        ({"source": "path"}, "it is your own file and stays as it is: mend it, then: llamarig up"),
        (
            {"generations": [3, 4]},
            "generation 3, 4 uses it, so it stays there: `llamarig up` brings it anew and "
            "restarts the server",
        ),
    ],
)
def test_a_wrong_model_is_one_line_that_says_what_to_do(change: dict[str, Any], end: str) -> None:
    line = model_verify.fault({**WRONG, **change})
    assert line == f"model: /b has sha256 1, its record says 2; {end}"


FILE = {
    "path": "/d/hub/b", "size": 2_500_000_000, "age": 90_000.0, "why": "no generation uses it",
    "name": "a/b m.gguf", "remove": ["/d/hub/b"], "folder": None,
}  # fmt: skip


def found(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    prune = {"hf_home": "/d", "removed": False, "files": list(files)}
    return {"problems": [], "failed": 0, "prune": prune, **more}


def test_what_would_go_is_listed_with_its_sum() -> None:
    assert models_prune.lines(found(FILE, FILE), removed=False) == [
        *["2.50 GB, 1 d old: a/b m.gguf, no generation uses it (/d/hub/b)"] * 2,
        "2 file(s), would free 5.00 GB of /d",
    ]
    assert models_prune.lines(found(FILE), removed=True)[-1] == "1 file(s), freed 2.50 GB of /d"


def test_nothing_to_remove_and_nothing_known_are_different() -> None:
    assert models_prune.lines(found(), removed=False)[0].startswith("nothing to do")
    for entry in (SICK, found(FILE, failed=1)):
        assert models_prune.lines(entry, removed=True) == ["not known, the lines above say why"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(-5, "0 s"), (59, "59 s"), (3599, "59 min"), (90_000, "1 d")]
)
def test_ages(seconds: float, words: str) -> None:
    assert models_prune.ago(seconds) == words


def run(folder: Path, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of `models` against an inventory in `folder`."""
    script = f"from llamarig.cli.models_{command} import {command}; {command}()"
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="this machine is the host, read as root")
def test_a_list_is_read_on_the_host(tmp_path: Path) -> None:
    home = '{"hf_home": "/nonexistent/llamarig-test"}'
    (tmp_path / "inventory.py").write_text(f'hosts = [("@local", {home})]\n')
    (tmp_path / "deploy.py").write_text("")
    for words in ([], ["--all"]):
        done = run(tmp_path, "prune", "inventory.py", *words)
        line = "nothing to do: llamarig left nothing unused in /nonexistent/llamarig-test"
        assert done.stdout == f"@local: {line}\n", done.stderr
        assert done.returncode == 0
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix == ".lock") == []
