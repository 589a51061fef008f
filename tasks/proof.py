"""The proof's job: what the host is told to measure, and where it records it."""

from __future__ import annotations

import json
from typing import Any

from llamarig import recipe, suite
from llamarig.paths import GENERATIONS, JOBS, MEASUREMENTS
from llamarig.settings import Settings
from llamarig.tasks import generation, llama_cpp, switch_job
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.operations import jobs

# Of the warm-up's greedy answer, which both arms have to give alike.
WARMUP_TOKENS = 48


def record_path(candidate: Generation, *, force: bool) -> str:
    """A smoke test never overwrites the proof that the generation went live on."""
    name = "smoke.json" if force else "proof.json"
    return f"{GENERATIONS}/{candidate.number}/{name}"


def measuring(settings: Settings, folder: str) -> dict[str, Any]:
    """What any measurement on the host is told (llamarig/onhost/rounds.py), besides its arms.

    folder: the generation's, whose release and model are measured.
    """
    prompts = suite.load(settings.proof_suite)
    return {
        "port": settings.proof_port,
        "backend": settings.backend,
        "gpu": settings.gpu,
        "gpu_layers": settings.gpu_layers,
        "fit": recipe.fit(
            settings, f"{folder}/release/bin/llama-fit-params", f"{folder}/model.gguf"
        ),
        "fit_environment": recipe.environment(settings),
        "prompts": prompts.prompts,
        "tokens": settings.proof_tokens,
        "request_timeout_s": 600,
        "load_timeout_s": settings.load_timeout_seconds,
        "warmup": prompts.warmup,
        "warmup_tokens": WARMUP_TOKENS,
        "measurements": MEASUREMENTS,
        "build_number": int(llama_cpp.number(settings)),
    }


def measured_with(settings: Settings, of: Generation) -> dict[str, Any]:
    """What stands beside every figure, besides the machine and its card."""
    prompts = suite.load(settings.proof_suite)
    inputs = generation.proof_inputs(
        settings, of.manifest["release"], of.manifest["model"]["sha256"]
    )
    return {
        "suite": prompts.name,
        "prompts_digest": prompts.digest,
        **{key: inputs[key] for key in ("release", "model_sha256", "recipe")},
    }


def _config(settings: Settings, candidate: Generation, *, force: bool) -> dict[str, Any]:
    folder = f"{GENERATIONS}/{candidate.number}"
    return {
        **switch_job.config(settings, candidate.number, "up"),
        **measuring(settings, folder),
        "record": record_path(candidate, force=force),
        "arms": {
            "baseline": f"{folder}/candidate-baseline.service",
            "mtp": f"{folder}/candidate-mtp.service",
        },
        "min_speedup": settings.min_speedup,
        "min_acceptance_length": settings.min_acceptance_length,
        # The card's kernels differ by batch size, so that near ties may end otherwise there.
        "equal": settings.backend == "cpu",
        "rounds": settings.proof_rounds,
        "max_rounds": settings.proof_max_rounds,
        "proof_key": candidate.manifest["proof_key"],
        "proof_inputs": {},
        "measured_with": measured_with(settings, candidate),
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
    told = _config(settings, candidate, force=force)
    name = f"prove-{candidate.number}"
    if force:
        # It switches nothing, and its gate may be that of one run: no proof is joined for it.
        name += f"-{generation.digest_of(told)[:8]}"
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
        instead_of=("switch", "bench", "tune"),
        files={"prove.json": json.dumps(told, indent=2)},
    )
