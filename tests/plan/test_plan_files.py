"""A plan shows the files that staging would write, against what lies on the host."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llamarig.cli import planned
from llamarig.paths import CURRENT, LIVE_UNIT
from llamarig.settings import Settings
from llamarig.tasks import generation, llama_cpp_build

Planner = Callable[..., Any]
CPU: dict[str, Any] = {"backend": "cpu", "llama_cpp_commit": "a" * 40, "model_sha256": "b" * 64}
MODEL = "/data/huggingface/m.gguf"
UNIT = generation.UNITS[0]

# What server.stage does about a generation, without users, packages and builds.
STORY = """
from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from llamarig.tasks import candidate, generation, llama_cpp, plan_diff, preflight, site
from llamarig.tasks.facts.generation import Generations
from llamarig.tasks.facts.systemd_version import SystemdVersion
from llamarig.tasks.step import step

@operation()
def stage_generation(settings):
    known = host.get_fact(Generations)
    model = plan_diff.expected_model(settings, known)
    if model is None and known.all:
        plan_diff.later("Stage a generation", "the model is there")
        yield StringCommand("true")
        return
    rendered = generation.render(
        settings, known.next_number, llama_cpp.release_id(settings), *(model or ("/x", "b" * 64)),
        systemd=host.get_fact(SystemdVersion),
    )
    if known.candidate(rendered.digest):
        host.noop("staged")
        return
    plan_diff.record(rendered, known)
    yield StringCommand("true")

@step("Server")
def stage():
    stage_generation(name="Stage a generation", settings=site.settings())

preflight.check()
stage()
"""


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "deploy.py"
    path.write_text(STORY)
    return path


def deployed(**changes: Any) -> dict[str, object]:
    """The answers of a host on which generation 3 is live, made by these settings."""
    settings = Settings.model_validate({**CPU, **changes})
    release = llama_cpp_build.build_id(settings, str(settings.llama_cpp_commit), None)
    made = generation.render(settings, 3, release, MODEL, str(settings.model_sha256), systemd=252)
    manifest = json.loads(made.files["manifest.json"])
    listed = {"number": 3, "manifest": manifest, "proof": {"verdict": "pass"}}
    files = [
        f"file\t{name}\t{base64.b64encode(text.encode()).decode()}"
        for name, text in made.files.items()
    ]
    links = [f"link\t{name}\t{target}" for name, target in made.links.items()]
    return {
        f"readlink {CURRENT}": ["3 -", json.dumps([listed])],
        "cd /opt/llamarig/generations/3 ": [*files, *links],
    }


def entry(found: Any) -> dict[str, Any]:
    """A host's report with what pyinfra planned, as the command line has it."""
    assert found.code == 0, found.output
    own: dict[str, Any] = found.report["hosts"]["@fake/gpu01"]
    for name, hosts in found.operations.items():
        if hosts:
            own["operations"].append({"name": name, "outcome": "planned"})
    return own


def test_one_changed_flag_is_one_changed_line(plan: Planner, story: Path) -> None:
    found = plan({"gpu01": {**CPU, "context": 16384, "answers": deployed()}}, deploy=story)
    own = entry(found)
    changed = [line for line in own["files"][UNIT].split("\n")[2:] if line[:1] in "+-"]
    assert [line.strip("+- \\") for line in changed] == ["c 8192", "c 16384"]
    lines = planned.lines("gpu01", own)
    assert lines[0] == "gpu01: 1 operation(s) would change something"
    assert f"    candidate-mtp.service: the same lines as {LIVE_UNIT}" in lines
    assert not any("file(s)" in line for line in lines)


def test_what_is_deployed_plans_nothing(plan: Planner, story: Path) -> None:
    own = entry(plan({"gpu01": {**CPU, "answers": deployed()}}, deploy=story))
    assert planned.lines("gpu01", own) == ["gpu01: no operation(s) would change something"]


def test_a_new_hosts_files_are_named_and_not_shown(plan: Planner, story: Path) -> None:
    lines = planned.lines("gpu01", entry(plan({"gpu01": CPU}, deploy=story)))
    (named,) = [line for line in lines if "file(s)" in line]
    assert UNIT in named
    assert not any("ExecStart" in line for line in lines)


def test_what_only_the_run_can_tell_is_said_to_be_open(plan: Planner, story: Path) -> None:
    other = {**CPU, "model_sha256": "c" * 64, "answers": deployed()}
    lines = planned.lines("gpu01", entry(plan({"gpu01": other}, deploy=story)))
    assert lines == [
        "gpu01: no operation(s) would change something",
        "    then, once the model is there: Stage a generation; each only if it turns out to be "
        "needed",
    ]


def test_plain_pyinfra_asks_for_no_files_when_it_deploys(plan: Planner, story: Path) -> None:
    asked = {**deployed(), "cd /opt/llamarig/generations/3 ": ["nonsense"]}
    found = plan(
        {"gpu01": {**CPU, "context": 16384, "answers": asked}}, deploy=story,
        words=("--json", "--yes"),
    )  # fmt: skip
    assert "a generation's files can't be read" not in found.output


def test_other_files_of_ours_are_shown_too(plan: Planner, tmp_path: Path) -> None:
    path = tmp_path / "deploy.py"
    path.write_text(STORY.replace("    known = host.get_fact(Generations)\n", WRITES))
    files = entry(plan({"gpu01": CPU}, deploy=path))["files"]
    assert files["/etc/new"] is None
    assert files["/etc/old"].split("\n")[-2:] == ["-a", "+b"]
    assert files["/etc/gone"].split("\n")[-1:] == ["-a"]


# Instead of staging anything.
WRITES = """
    plan_diff.file("/etc/new", None, "x\\n")
    plan_diff.file("/etc/old", "a\\n", "b\\n")
    plan_diff.file("/etc/gone", "a\\n", None)
    yield StringCommand("true")
    return
    known = host.get_fact(Generations)
"""
