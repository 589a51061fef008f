"""How the web UI is part of a release: its name, its flags, its job, and the stage's script."""

from __future__ import annotations

import base64
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from llamarig.settings import Settings
from llamarig.tasks.facts.hub_web_ui import HubWebUi
from llamarig.tasks.llama_cpp_build import build_id, flags, record
from llamarig.tasks.llama_cpp_job import spec

COMMIT = "f1a25c0bd" + "0" * 31
NONE, HUB, BUILD = (Settings(backend="cpu", web_ui=how) for how in ("none", "hub", "build"))


def stages(settings: Settings) -> list[str]:
    return [each.name for each in spec(settings, COMMIT, None, None, b"page").stages]


def test_a_release_without_the_page_has_the_name_it_always_had() -> None:
    assert build_id(NONE, COMMIT, None) == "b11434-cpu-c57096745c"
    names = {build_id(each, COMMIT, None) for each in (NONE, HUB, BUILD)}
    assert len(names) == 3
    assert stages(NONE) == ["source", "configure", "compile", "install", "clean"]
    assert list(spec(NONE, COMMIT, None, None).files) == ["release.json"]


def test_the_page_is_seen_to_be_there_before_anything_is_compiled() -> None:
    expected = ["source", "configure", "web UI", "compile", "install", "clean"]
    assert stages(BUILD) == stages(HUB) == expected


def test_only_the_hubs_page_is_fetched_by_cmake() -> None:
    fetched = "-DLLAMA_USE_PREBUILT_UI=ON"
    assert [fetched in flags(each, COMMIT, None) for each in (NONE, HUB, BUILD)] == [
        False, True, False,
    ]  # fmt: skip


def test_the_page_travels_with_the_job() -> None:
    job = spec(BUILD, COMMIT, None, None, b"\0page")
    assert base64.b64decode(job.files["web-ui.tar.gz.base64"]) == b"\0page"
    assert "web-ui.tar.gz.base64" not in spec(HUB, COMMIT, None, None).files


@pytest.mark.parametrize("how", ["none", "hub", "build"])
def test_the_manifest_says_how_it_came(how: str) -> None:
    assert record(Settings(backend="cpu", web_ui=how), COMMIT, None)["web_ui"] == how


CMAKE = """#!/bin/sh
# Stands in for `cmake --build TREE --target llama-ui-assets`.
mkdir -p "$2/tools/ui"
if [ -e "$SOURCE/tools/ui/dist/index.html" ] || [ -n "$FETCHED" ]; then
    echo '#define LLAMA_UI_HAS_ASSETS 1' >"$2/tools/ui/ui.h"
    echo "-- UI: HF download succeeded, resolved: $FETCHED"
else
    echo '/* #undef LLAMA_UI_HAS_ASSETS */' >"$2/tools/ui/ui.h"
fi
exit $STATUS
"""


@pytest.fixture
def stage(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Run web-ui.sh with a stand-in for cmake; its status and output."""
    script = files("llamarig.templates").joinpath("web-ui.sh").read_text()
    cmake, source, tree, packed = (tmp_path / each for each in ("cmake", "source", "tree", "b64"))
    cmake.write_text(CMAKE)
    cmake.chmod(0o755)
    (source / "tools" / "ui").mkdir(parents=True)
    tree.mkdir()

    def run(how: str, page: bytes = b"", fetched: str = "", status: int = 0) -> tuple[int, str]:
        if page:
            packed.write_text(base64.encodebytes(page).decode())
        done = subprocess.run(
            ["/bin/sh", "-euc", script, "web-ui.sh", how, str(source), str(tree), str(packed),
             str(cmake)],
            env={"PATH": "/usr/bin:/bin", "SOURCE": str(source), "FETCHED": fetched,
                 "STATUS": str(status)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


def packed_page(folder: Path) -> bytes:
    folder.mkdir()
    (folder / "index.html").write_text("<html>")
    done = subprocess.run(["tar", "-cz", "-C", str(folder), "."], capture_output=True, check=True)
    return done.stdout


def test_the_page_is_unpacked_where_llama_cpp_looks(tmp_path: Path, stage) -> None:  # type: ignore[no-untyped-def]
    assert stage("build", packed_page(tmp_path / "page"))[0] == 0
    assert (tmp_path / "source/tools/ui/dist/index.html").read_text() == "<html>"
    assert not (tmp_path / "b64").exists()
    # Cut off after that, and run again.
    assert stage("build")[0] == 0


@pytest.mark.parametrize(
    ("how", "more", "line"),
    [
        ("build", {"page": b"no archive"}, ""),
        ("hub", {}, "llamarig: web_ui: the page did not come (web_ui is hub)"),
        ("hub", {"fetched": "latest"}, "llamarig: web_ui: the hub gave the page of another build"),
        ("hub", {"fetched": "b11434", "status": 1}, "llamarig: web_ui: llama.cpp does not take"),
    ],
)
def test_a_page_that_did_not_come_ends_the_build(stage, how: str, more: dict, line: str) -> None:  # type: ignore[no-untyped-def, type-arg]
    status, output = stage(how, **more)
    assert status != 0
    assert line in output


def test_the_hubs_own_page_is_enough(stage) -> None:  # type: ignore[no-untyped-def]
    assert stage("hub", fetched="b11434")[0] == 0


@pytest.mark.parametrize(
    ("output", "found"),
    [(["there"], True), (["something else"], False), ([], False), (["there", "?"], False)],
)
def test_the_hub_is_reached_when_it_gives_a_digest(output: list[str], found: bool) -> None:
    assert HubWebUi().process(output) is found
    assert HubWebUi.default() is False


def test_the_fact_asks_for_this_very_build(tmp_path: Path) -> None:
    command = HubWebUi().command(tag="b11434")
    assert "/resolve/b11434/dist.tar.gz.sha256?download=true" in command
    # A host without a way out: nothing, and no failure.
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "https_proxy": "http://127.0.0.1:9"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
