"""What `llamarig bench` would start on a host, and what it refuses before it starts anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.command import FileUploadCommand, FunctionCommand
from pyinfra.api.connect import connect_all
from pyinfra.context import ctx_host, ctx_state

from llamarig.tasks import bench, display_callback, site, step

HELP = Path(__file__).resolve().parents[1] / "recorded" / "help-b11434.txt"
MANIFEST = {
    "digest": "d3", "release": "r9", "proof_key": "k",
        "model": {"file": "m.gguf", "path": "/data/m.gguf", "sha256": "b" * 64},
    "address": {"bind": "0.0.0.0", "port": 8080, "scheme": "http"},
}  # fmt: skip
LISTED = {"number": 3, "manifest": MANIFEST, "proof": {"verdict": "pass"}}
# Keys are parts of the commands that ask.
SERVES: dict[str, list[str]] = {
    "readlink /opt/llamarig/current": ["3 -", json.dumps([LISTED])],
    "releases/r9/release.json": ['{"id": "r9", "build_number": 11000, "backend": "cpu"}'],
    "releases/r9/help.txt": HELP.read_text().splitlines(),
    "systemctl --version": ["systemd 252 (252.39-1~deb12u1)"],
}


@pytest.fixture
def planned() -> Callable[..., list[Any]]:
    """The commands of the bench on a @fake host; told: what it answers, data: the host's."""

    def run(told: dict[str, list[str]], **data: Any) -> list[Any]:
        for known in (site._settings, step._refused):
            known.clear()
        fake = {"fake_responses": told, "fake_delay": 0, "fake_delay_jitter": 0, "backend": "cpu"}
        state = State(Inventory(([("@fake/gpu01", {**fake, **data})], {})), Config())
        with ctx_state.use(state):
            connect_all(state)
            display_callback.register(state)  # as preflight does
            host = state.inventory.get_host("@fake/gpu01")
            with ctx_host.use(host):
                bench.measure()
                (op,) = state.get_op_order()
                return list(state.ops[host][op].command_generator())

    return run


def lines(commands: list[Any]) -> list[str]:
    """Why it fails; nothing else may be done then."""
    (found,) = commands
    assert isinstance(found, FunctionCommand)
    return list(found.args[0])


def test_a_unit_per_depth_is_put_there_and_the_job_started(
    planned: Callable[..., list[Any]],
) -> None:
    commands = planned(SERVES, _bench_depths=[0, 4], _bench_tokens=64)
    files = {each.dest.rsplit("/", 1)[1]: each for each in commands
             if isinstance(each, FileUploadCommand)}  # fmt: skip
    assert {"n0.service", "n4.service", "bench.json", "job.json"} <= set(files)
    told = json.loads(files["bench.json"].src.getvalue())
    assert (told["build_number"], told["generation"], told["tokens"]) == (11000, 3, 64)
    start = str(commands[-1])
    assert "systemd-run" in start
    assert "bench --finish /var/lib/llamarig/jobs/bench-3-" in start
    assert "'llamarig-prove-*'" in str(commands[0])


def test_nothing_is_measured_where_nothing_serves(planned: Callable[..., list[Any]]) -> None:
    nothing = {**SERVES, "readlink /opt/llamarig/current": ["- -", json.dumps([LISTED])]}
    (line,) = lines(planned(nothing))
    assert line == "nothing serves here, so there is nothing to measure; first: llamarig up"


def test_a_release_that_is_gone_is_said(planned: Callable[..., list[Any]]) -> None:
    (line,) = lines(planned({**SERVES, "releases/r9/release.json": []}))
    assert line == "release r9 is gone; `llamarig up` builds it again"


def test_more_tokens_than_the_context_holds_are_refused(
    planned: Callable[..., list[Any]],
) -> None:
    (line,) = lines(planned(SERVES, context=2048, _bench_tokens=2048))
    assert line.startswith("--tokens 2048: allowed: fewer than context, which is 2048")


def test_a_release_that_does_not_know_draft_depths_is_refused(
    planned: Callable[..., list[Any]],
) -> None:
    old = [each for each in SERVES["releases/r9/help.txt"] if "--spec-draft-n-max" not in each]
    (line,) = lines(planned({**SERVES, "releases/r9/help.txt": old}, spec_type="none"))
    assert "--spec-draft-n-max" in line


def test_the_story_begins_with_preflight_and_hears_what_is_asked(
    plan: Callable[..., Any], tmp_path: Path
) -> None:
    deploy = tmp_path / "deploy.py"
    deploy.write_text("from llamarig.tasks import bench\n\nbench.run()\n")
    host = {"backend": "cpu", "model_sha256": "b" * 64, "llama_cpp_commit": "a" * 40}
    words = ("--json", "--dry", "--data", "_bench_depths=[0, 4]", "--data", "_bench_rounds=1")
    found = plan({"gpu01": {**host, "answers": SERVES}}, deploy=deploy, words=words)
    assert found.report["hosts"]["@fake/gpu01"]["problems"] == []
    assert list(found.operations)[-1] == "Bench | Measure the draft depths"
    assert found.operations["Bench | Measure the draft depths"] == ["@fake/gpu01"]
    wrong = plan({"gpu01": {**host, "answers": SERVES}}, deploy=deploy,
                 words=("--json", "--dry", "--data", "_bench_depths=[17]"))  # fmt: skip
    assert "--depths 17: allowed: depths from 0 to 16" in wrong.output
    assert wrong.code != 0
