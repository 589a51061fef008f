"""The cache's layout: what the hub's own client finds without a network."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from llamarig.onhost import hub_cache
from llamarig.onhost.hub_cache import Place

CONTENT = b"the bytes of a model"


def place_in(folder: Path, commit: str = "a" * 40, file: str = "q4/tiny.gguf") -> Place:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    return Place(str(folder), "someone/tiny-GGUF", file, commit, sha256, len(CONTENT))


def put(place: Place, asked: str | None = None) -> None:
    with hub_cache.locked(place):
        Path(place.partial).write_bytes(CONTENT)
        hub_cache.move(place.partial, place.blob)
        hub_cache.link(place, asked)


def reference(place: Place, name: str = "main") -> str:
    return (Path(place.folder) / "refs" / name).read_text()


def hf(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ, "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    command = Path(sys.executable).parent / "hf"
    return subprocess.run(
        [str(command), "download", "someone/tiny-GGUF", *words, "--quiet"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip


def test_the_hub_s_client_finds_it_offline(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    put(place)
    done = hf(tmp_path, place.file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == place.snapshot
    assert Path(place.snapshot).read_bytes() == CONTENT
    assert not os.path.isabs(os.readlink(place.snapshot))
    assert hf(tmp_path, "other.gguf").returncode != 0


@pytest.mark.parametrize(
    ("asked", "main"), [(None, "b" * 40), ("main", "b" * 40), ("b" * 40, "a" * 40)]
)
def test_main_moves_only_with_main(tmp_path: Path, asked: str | None, main: str) -> None:
    put(place_in(tmp_path))
    later = replace(place_in(tmp_path), revision="b" * 40)
    put(later, asked)
    assert reference(later) == main
    assert os.listdir(Path(later.folder) / "refs") == ["main"]
    assert hf(tmp_path, later.file, "--revision", "b" * 40).returncode == 0


def test_a_branch_gets_its_name_too(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    put(place, "refs/pr/1")
    assert reference(place, "refs/pr/1") == place.revision
    assert hf(tmp_path, place.file, "--revision", "refs/pr/1").returncode == 0


def test_everybody_reads_and_nobody_else_writes(tmp_path: Path) -> None:
    home = tmp_path / "hf"
    home.mkdir(mode=0o700)
    place = place_in(home)
    before = os.umask(0o002)
    try:
        put(place)
    finally:
        os.umask(before)
    assert home.stat().st_mode & 0o777 == 0o755
    for path in (place.blob, place.snapshot):
        assert os.stat(path).st_mode & 0o777 == 0o644
        folder = Path(path).parent
        while folder != home / "hub":
            assert folder.stat().st_mode & 0o777 == 0o755, folder
            folder = folder.parent


def test_a_link_that_led_elsewhere_is_replaced(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    Path(place.snapshot).parent.mkdir(parents=True)
    os.symlink("nowhere", place.snapshot)
    put(place)
    assert Path(place.snapshot).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "wrong",
    [
        {"revision": "../" * 13 + "x"},
        {"revision": "a" * 39},
        {"sha256": "/" * 61 + "etc"},
        {"sha256": "A" * 64},
        {"file": "../../x.gguf"},
        {"file": "/x.gguf"},
        {"file": "a\x1b[2J.gguf"},
        {"repo": "../x"},
    ],
)
def test_no_place_leads_out_of_the_cache(wrong: dict[str, str]) -> None:
    sound = {"repo": "a/b", "file": "m.gguf", "revision": "a" * 40, "sha256": "b" * 64}
    hub_cache.Place("/data", size=1, **sound)
    with pytest.raises(ValueError, match="no place for"):
        hub_cache.Place("/data", size=1, **{**sound, **wrong})
