"""What `rollback` refuses before it touches a host."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Planner = Callable[..., Any]
CPU: dict[str, object] = {"backend": "cpu", "llama_cpp_commit": "a" * 40, "model_sha256": "b" * 64}
STORY = "from llamarig.tasks import rollback\n\nrollback.run()\n"


# What is on the host: of all but one as it was staged.
CONTENT = [
    line
    for number in range(1, 7)
    for line in (
        f"link {number}/release /opt/llamarig/releases/r1",
        f"link {number}/model.gguf /data/{'other' if number == 6 else 'm'}.gguf",
    )
]


def generation(number: int, verdict: str | None, **proof: object) -> dict[str, object]:
    manifest = {
        "digest": f"d{number}", "release": "r1", "proof_key": "k",
        "model": {"file": "m.gguf", "path": "/data/m.gguf", "sha256": "b" * 64},
        "address": {"bind": "0.0.0.0", "port": 8080, "scheme": "http"},
    }  # fmt: skip
    taken = None if verdict is None else {"verdict": verdict, **proof}
    return {"number": number, "manifest": manifest, "proof": taken}


GENERATIONS = [
    generation(1, "pass"), generation(2, "fail"), generation(3, None),
    generation(4, "fail", kept=True), generation(5, "pass"), generation(6, "pass"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("links", "to", "line"),
    [
        ("- -", None, "no generation was live here before; `llamarig up` deploys one"),
        ("5 -", None, "no generation was live here before; `llamarig up` deploys one"),
        ("5 1", 9, "this host has no generation 9; --to one of 1, 4, 5"),
        ("5 1", 2, "generation 2 was never proven here; --to one of 1, 4, 5"),
        ("5 1", 3, "generation 3 was never proven here; --to one of 1, 4, 5"),
        ("5 1", 6, "generation 6 was edited by hand, so nothing proves it; --to one of 1, 4, 5"),
        ("5 1", None, None),
        ("5 1", 4, None),
    ],
)
def test_only_what_was_proven_or_kept_is_a_way_back(
    plan: Planner, tmp_path: Path, links: str, to: int | None, line: str | None
) -> None:
    deploy = tmp_path / "deploy.py"
    deploy.write_text(STORY)
    answers = {"readlink /opt/llamarig/current": [links, *CONTENT, json.dumps(GENERATIONS)]}
    words = ("--json", "--dry", *(("--data", f"_rollback_to={to}") if to else ()))
    found = plan({"gpu01": {**CPU, "answers": answers}}, deploy=deploy, words=words)
    problems = found.report["hosts"]["@fake/gpu01"]["problems"]
    assert problems == ([] if line is None else [f"rollback: {line}"])
    wanted = "Rollback | Serve a generation from before"
    assert bool(found.operations.get(wanted)) is (line is None)


def test_what_serves_already_is_left_alone(plan: Planner, tmp_path: Path) -> None:
    deploy = tmp_path / "deploy.py"
    deploy.write_text(STORY)
    answers = {"readlink /opt/llamarig/current": ["5 1", json.dumps(GENERATIONS)]}
    words = ("--json", "--dry", "--data", "_rollback_to=5")
    found = plan({"gpu01": {**CPU, "answers": answers}}, deploy=deploy, words=words)
    assert not found.operations.get("Rollback | Serve a generation from before")
