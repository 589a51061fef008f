"""How the web UI comes, as a plan has it: nothing is built, asked or written for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llamarig.settings import Settings
from llamarig.tasks.llama_cpp_build import build_id

Planner = Callable[..., Any]
CPU: dict[str, object] = {"backend": "cpu", "llama_cpp_commit": "a" * 40, "model_sha256": "b" * 64}
LOCK = "web_ui:\n  auto: {{how: {how}}}\n"


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMARIG_CACHE", str(tmp_path / "cache"))


def title(found: Any) -> tuple[str, bool]:
    """The build's operation, and whether it would change the host."""
    assert found.code == 0, found.output
    ((name, hosts),) = [
        (name, hosts) for name, hosts in found.operations.items() if "Build the release" in name
    ]
    return name.partition(" | ")[2], bool(hosts)


def released(how: str) -> dict[str, object]:
    """The answer of a host that has the release built in this way."""
    this = build_id(Settings.model_validate({**CPU, "web_ui": how}), "a" * 40, None)
    return {f"releases/{this}/release.json": [f'{{"id": "{this}", "build_number": 11434}}']}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("none", "without the page"),
        ("build", "page built on this machine"),
        ("hub", "page from the hub"),
        ("auto", "page: built here, or from the hub"),
    ],
)
def test_a_fresh_host(plan: Planner, tmp_path: Path, how: str, words: str) -> None:
    found = plan({"gpu01": {**CPU, "web_ui": how}})
    assert title(found) == (f"Build the release, {words}", True)
    assert not (tmp_path / "llamarig.lock").exists()
    assert not (tmp_path / "cache" / "web-ui").exists()


@pytest.mark.parametrize("how", ["none", "build", "hub"])
def test_a_release_is_that_of_its_page(plan: Planner, how: str) -> None:
    for asked in ("none", "build", "hub"):
        found = plan({"gpu01": {**CPU, "web_ui": asked, "answers": released(how)}})
        assert title(found)[1] == (asked != how)


@pytest.mark.parametrize("how", ["none", "build", "hub"])
def test_auto_is_what_the_lock_says_or_what_the_host_has(
    plan: Planner, tmp_path: Path, how: str
) -> None:
    asks = {"gpu01": {**CPU, "web_ui": "auto", "answers": released(how)}}
    assert title(plan(asks))[1] is False
    (tmp_path / "llamarig.lock").write_text(LOCK.format(how=how))
    assert title(plan(asks))[1] is False
    other = "none" if how != "none" else "build"
    (tmp_path / "llamarig.lock").write_text(LOCK.format(how=other))
    assert title(plan(asks))[1] is True
