"""The proof's job: what the host is told to measure, and where it records it."""

from __future__ import annotations

import json
from importlib.resources import files as package_files
from typing import Any

from llamarig import recipe
from llamarig.paths import GENERATIONS, JOBS
from llamarig.settings import Settings
from llamarig.tasks import llama_cpp, switch_job
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.operations import jobs

# One prompt of each class (math, code, prose): they draft differently well.
PROMPTS = 3


def record_path(candidate: Generation, *, force: bool) -> str:
    """A smoke test never overwrites the proof that the generation went live on."""
    name = "smoke.json" if force else "proof.json"
    return f"{GENERATIONS}/{candidate.number}/{name}"


def _config(settings: Settings, candidate: Generation, *, force: bool) -> dict[str, Any]:
    folder = f"{GENERATIONS}/{candidate.number}"
    suite = json.loads(package_files("llamarig.measure").joinpath("prompts.json").read_text())
    return {
        **switch_job.config(settings, candidate.number, "up"),
        "record": record_path(candidate, force=force),
        "arms": {
            "baseline": f"{folder}/candidate-baseline.service",
            "mtp": f"{folder}/candidate-mtp.service",
        },
        "port": settings.proof_port,
        "backend": settings.backend,
        "gpu_layers": settings.gpu_layers,
        "fit": recipe.fit(
            settings, f"{folder}/release/bin/llama-fit-params", f"{folder}/model.gguf"
        ),
        "fit_environment": recipe.environment(settings),
        "min_speedup": settings.min_speedup,
        "rounds": settings.proof_rounds,
        "max_rounds": settings.proof_max_rounds,
        "prompts": suite["prompts"][:PROMPTS],
        "tokens": settings.proof_tokens,
        "request_timeout_s": 600,
        "warmup": suite["warmup"],
        "warmup_tokens": 16,
        "proof_key": candidate.manifest["proof_key"],
        "proof_inputs": {},
        "build_number": int(llama_cpp.number(settings)),
        "reuse": not force,
        "flip": not force,
        "keep": settings.on_gate_fail == "keep",
    }


def seconds(settings: Settings) -> int:
    """How long measuring, and the switch after it, may take."""
    return settings.proof_timeout_minutes * 60 + switch_job.last_words_seconds(settings)


def spec(settings: Settings, candidate: Generation, *, force: bool) -> jobs.Spec:
    """The proof's job, which switches if it passes. Its last words see to it that what is proven
    serves, whatever happened before."""
    name = f"prove-{candidate.number}"
    config = f"{JOBS}/{name}/prove.json"
    python = ["/usr/bin/python3", jobs.program(), "prove"]
    limit = seconds(settings)
    return jobs.Spec(
        name=name,
        title=f"prove generation {candidate.number}",
        unit="answers",
        stages=[jobs.Stage("measure", [*python, config], limit, switch_job.ENVIRONMENT)],
        last_words=[*python, "--finish", config],
        last_words_s=switch_job.last_words_seconds(settings),
        instead_of=("switch",),
        files={"prove.json": json.dumps(_config(settings, candidate, force=force), indent=2)},
    )
