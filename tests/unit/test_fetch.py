"""The download as a host runs it, against the stand-in hub."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamarig.rehearsal import model
from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.shape import Shape

REPO, NAME = "someone/tiny-GGUF", "tiny.gguf"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / NAME
    model.make(path, Shape(layers=4))
    return path


@pytest.fixture
def hub(tiny: Path) -> Iterator[Hub]:
    with Hub({REPO: {NAME: tiny}}) as running:
        yield running


def fetch(hub: Hub, folder: Path, **changes: Any) -> tuple[subprocess.CompletedProcess[str], Path]:
    config = {
        "repo": REPO, "file": NAME, "revision": None, "sha256": None, "size": None,
        "hf_home": str(folder / "hf"), "endpoint": hub.url, "token_file": None,
        "result": str(folder / "record.json"), "min_free_bytes": 0, **changes,
    }  # fmt: skip
    path = folder / "fetch.json"
    path.write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "llamarig.onhost", "fetch", str(path)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done, folder / "record.json"


def test_the_record_says_what_came(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    done, record = fetch(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(record.read_text())
    assert found["sha256"] == model.sha256(tiny)
    assert found["revision"] == hub.content.commit(REPO)
    assert (found["nextn_predict_layers"], found["architecture"]) == (1, "qwen35")
    assert Path(found["path"]).read_bytes() == tiny.read_bytes()
    assert Path(found["path"]).name == found["sha256"]
    assert Path(found["path"]).stat().st_mode & 0o777 == 0o644


def test_a_second_run_asks_nobody(hub: Hub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    hub.content.stats(reset=True)
    done, _ = fetch(hub, tmp_path)
    assert done.returncode == 0
    assert hub.content.stats() == {}


def test_a_wrong_byte_is_found_and_removed(hub: Hub, tmp_path: Path) -> None:
    urllib.request.urlopen(f"{hub.url}/_faults?corrupt=100000", timeout=5).close()
    done, record = fetch(hub, tmp_path)
    assert done.returncode == 1
    assert "arrived with sha256" in done.stderr
    assert not record.exists()
    urllib.request.urlopen(f"{hub.url}/_faults?clear=1", timeout=5).close()
    assert fetch(hub, tmp_path)[0].returncode == 0


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"repo": "someone/else"}, "model_repo: someone/else not found"),
        ({"file": "no.gguf"}, f"model_file: {REPO} has no file no.gguf"),
        ({"revision": "f" * 40}, f"model_revision: {REPO} has no revision"),
        ({"sha256": "0" * 64}, "model_sha256: the hub says"),
        ({"min_free_bytes": 10**18}, "hf_home: "),
        ({"endpoint": "http://127.0.0.1:9"}, "http://127.0.0.1:9: "),
    ],
)
def test_each_failure_is_one_line(
    hub: Hub, tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    done, record = fetch(hub, tmp_path, **changes)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"llamarig: {line}")
    assert not record.exists()


def test_something_that_is_no_model_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html>" * 1000)
    with Hub({REPO: {NAME: page}}) as hub:
        done, record = fetch(hub, tmp_path)
    assert "not a GGUF file" in done.stderr
    assert not record.exists()
