"""`models update`: what the hub has now is pinned, and nothing else changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llamarig.lockfile import Lockfile
from llamarig.rehearsal import model
from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.shape import Shape

REPO, FILE = "someone/tiny-GGUF", "tiny-Q4_0.gguf"
KEY = f"{REPO} {FILE}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    shapes = {"old": Shape(layers=4), "new": Shape(layers=4, seed=2),
              "plain": Shape(layers=4, heads="none")}  # fmt: skip
    for name, shape in shapes.items():
        model.make(folder / name, shape)
    return {name: folder / name for name in shapes}


@pytest.fixture
def hub(files: dict[str, Path]) -> Iterator[Hub]:
    with Hub({REPO: {FILE: files["old"]}}) as running:
        yield running


class Site:
    """A site whose one host is never reached."""

    def __init__(self, folder: Path, hub: Hub) -> None:
        self.folder, self.hub, self.lock = folder, hub, Lockfile(folder / "llamarig.lock")
        (folder / "deploy.py").write_text("")

    def update(self, **settings: Any) -> subprocess.CompletedProcess[str]:
        data = {"backend": "cpu", "hf_endpoint": self.hub.url, "model_repo": REPO, **settings}
        inventory = self.folder / "inventory.py"
        inventory.write_text(f"hosts = [('@local', {data!r})]\n")
        return subprocess.run(
            [sys.executable, "-m", "llamarig.cli", "models", "update", str(inventory)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, hub: Hub) -> Site:
    return Site(tmp_path, hub)


def test_what_the_hub_has_is_pinned_and_then_unchanged(
    site: Site, hub: Hub, files: dict[str, Path]
) -> None:
    first = site.update(model_file=FILE)
    assert first.returncode == 0, first.stderr
    assert site.lock.get("models", KEY) == {
        "revision": hub.content.commit(REPO), "sha256": model.sha256(files["old"]),
        "size": files["old"].stat().st_size, "mtp_layers": 1,
    }  # fmt: skip
    assert f"{KEY}: unchanged" in site.update(model_file=FILE).stdout
    hub.content.move(REPO, FILE, files["new"])
    moved = site.update(model_file=FILE)
    assert f"-> {model.sha256(files['new'])[:12]}" in moved.stdout
    assert site.lock.get("models", KEY)["sha256"] == model.sha256(files["new"])


def test_a_file_without_heads_leaves_the_pin(site: Site, hub: Hub, files: dict[str, Path]) -> None:
    site.update(model_file=FILE)
    hub.content.move(REPO, FILE, files["plain"])
    done = site.update(model_file=FILE)
    assert done.returncode == 1
    assert "has no MTP heads; its pin stays as it was" in done.stderr
    assert site.lock.get("models", KEY)["sha256"] == model.sha256(files["old"])


def test_a_choice_is_made_anew_and_its_file_is_updated(
    site: Site, hub: Hub, files: dict[str, Path]
) -> None:
    never = site.update(model_quant="Q4_0")
    assert (never.returncode, never.stderr) == (0, "")
    assert "is chosen by the next `up`" in never.stdout
    site.update(model_file=FILE)
    site.lock.put("choices", f"{REPO} Q4_0 8192 q8_0 q8_0 1 3", {"file": FILE})
    hub.content.move(REPO, FILE, files["new"])
    done = site.update(model_quant="Q4_0")
    assert done.returncode == 0, done.stderr
    assert site.lock.keys("choices") == []
    assert site.lock.get("models", KEY)["sha256"] == model.sha256(files["new"])


def test_a_site_without_the_hub_has_nothing_to_update(site: Site) -> None:
    done = site.update(model_path="/data/own.gguf")
    assert done.returncode == 1
    assert "no host gets its model from the hub" in done.stderr
