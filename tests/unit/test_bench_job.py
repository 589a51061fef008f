"""The bench's job: what generation is measured, by which recipe, and what its units are."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from llamarig.bench import Wanted
from llamarig.settings import Settings
from llamarig.tasks import bench_job
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.operations import jobs

OF = Generation(7, "d7", {"release": "r9", "model": {"file": "m.gguf", "sha256": "b" * 64}}, None)
CPU = Settings(backend="cpu", draft_n_max=5, draft_p_min=0.25)


def spec(settings: Settings = CPU, **wanted: Any) -> jobs.Spec:
    asked = Wanted(**wanted)
    changed = bench_job.asked(settings, asked)
    return bench_job.spec(changed, OF, asked, build_number=11434, systemd=252)


def argv(job: jobs.Spec, name: str) -> list[str]:
    """A unit's command line."""
    text = job.files[f"{name}.service"]
    line = next(each for each in text.splitlines() if each.startswith("ExecStart="))
    return shlex.split(line.removeprefix("ExecStart="))


def config(job: jobs.Spec) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(job.files["bench.json"])
    return found


def test_every_depth_is_a_unit_of_the_live_generation() -> None:
    job = spec()
    assert set(job.files) == {"n0.service", "n2.service", "n3.service", "bench.json"}
    for name in ("n0", "n2", "n3"):
        words = argv(job, name)
        assert words[0] == "/opt/llamarig/generations/7/release/bin/llama-server"
        assert words[words.index("-m") + 1] == "/opt/llamarig/generations/7/model.gguf"
        assert words[-4:] == ["--host", "127.0.0.1", "--port", "18080"]
        assert "Restart=no" in job.files[f"{name}.service"]
    assert "--spec-type" not in argv(job, "n0")
    for depth in (2, 3):
        words = argv(job, f"n{depth}")
        at = words.index("--spec-type")
        assert words[at : at + 6] == [
            "--spec-type", "draft-mtp", "--spec-draft-n-max", str(depth), "--spec-draft-p-min",
            "0.25",
        ]  # fmt: skip


def test_depths_differ_in_speculation_alone() -> None:
    job = spec(depths=(0, 4))
    base, deep = argv(job, "n0"), argv(job, "n4")
    extra = [each for each in deep if each not in base]
    assert extra == ["--spec-type", "draft-mtp", "--spec-draft-n-max", "4", "--spec-draft-p-min",
                     "0.25"]  # fmt: skip
    assert [each for each in base if each not in deep] == []


def test_a_site_without_speculation_can_be_benched_too() -> None:
    assert "draft-mtp" in argv(spec(Settings(backend="cpu", spec_type="none")), "n2")


def test_the_host_is_told_what_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("about: a\nwarmup: hello\nprompts: [{id: x, class: y, text: z}]\n")
    job = spec(suite=str(path), depths=(0, 1), rounds=3, tokens=64)
    told = config(job)
    assert told["prompts"] == [{"id": "x", "class": "y", "text": "z"}]
    assert (told["warmup"], told["tokens"], told["rounds"]) == ("hello", 64, 3)
    folder = f"/var/lib/llamarig/jobs/{job.name}"
    assert told["arms"] == {name: f"{folder}/{name}.service" for name in ("n0", "n1")}
    assert told["record"] == bench_job.record_path(folder)
    assert told["recipes"] == {
        "n0": {"draft_n_max": 0, "draft_p_min": None},
        "n1": {"draft_n_max": 1, "draft_p_min": 0.25},
    }
    assert told["measured_with"]["suite"] == "mine"
    assert told["measured_with"]["release"] == "r9"
    assert (told["generation"], told["build_number"]) == (7, 11434)


def test_without_tokens_it_is_the_proofs() -> None:
    assert config(spec())["tokens"] == CPU.proof_tokens
    assert config(spec(tokens=2048))["request_timeout_s"] >= 2048


@pytest.mark.parametrize(
    "other", [{"depths": (0, 2)}, {"rounds": 3}, {"tokens": 64}, {"suite": "bench"}]
)
def test_another_bench_is_another_job(other: dict[str, Any]) -> None:
    assert spec(**other).name != spec().name
    assert spec().name == spec().name
    assert spec(CPU.model_copy(update={"context": 4096})).name != spec().name


def test_what_serves_is_back_afterwards_and_no_proof_runs_beside() -> None:
    job = spec()
    assert job.last_words[-3:] == [
        "bench",
        "--finish",
        f"/var/lib/llamarig/jobs/{job.name}/bench.json",
    ]
    assert job.name.startswith("bench-7-")
    assert {"prove", "switch", "tune"} <= set(job.instead_of)


def test_the_limit_grows_with_what_is_asked() -> None:
    small, large = spec(), spec(suite="bench", depths=tuple(range(17)), rounds=10, tokens=2048)
    assert large.stages[0].timeout_s > 10 * small.stages[0].timeout_s
