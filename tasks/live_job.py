"""What a host is told to measure of the server that serves users, by a job or by its timer."""

from __future__ import annotations

import json
from typing import Any

from llamarig import suite
from llamarig.onhost import live
from llamarig.paths import API_KEY, GENERATIONS, JOBS, LIVE_UNIT, MEASUREMENTS, ROOT
from llamarig.settings import Settings
from llamarig.tasks import generation, proof, switch_job
from llamarig.tasks.operations import jobs

# How long a measurement waits in all for moments in which nobody is served.
PATIENCE_SECONDS = 120


def config(settings: Settings, kind: str, patience_s: int) -> dict[str, Any]:
    """What llamarig/onhost/live.py is told. It names no generation: what is current counts, also
    after a rollback."""
    prompts = suite.load(settings.proof_suite)
    return {
        "kind": kind,
        "root": ROOT,
        "live_unit": LIVE_UNIT,
        "key_file": API_KEY,
        "backend": settings.backend,
        "gpu": settings.gpu,
        "prompts": prompts.prompts,
        "prompts_digest": prompts.digest,
        "warmup": prompts.warmup,
        "warmup_tokens": proof.WARMUP_TOKENS,
        "rounds": settings.proof_rounds,
        "max_rounds": settings.proof_max_rounds,
        "min_speedup": settings.min_speedup,
        "min_acceptance_length": settings.min_acceptance_length,
        "request_timeout_s": 600,
        "patience_s": patience_s,
        "measurements": MEASUREMENTS,
    }


def record_path(number: int) -> str:
    return f"{GENERATIONS}/{number}/{live.RECORD}"


def seconds(settings: Settings) -> int:
    """How long it may take, users' requests included."""
    return settings.proof_timeout_minutes * 60


def spec(settings: Settings, number: int) -> jobs.Spec:
    """The job that measures generation `number`, which is current and serves on."""
    told = config(settings, "live", PATIENCE_SECONDS)
    # Another gate, or other prompts, is another job: it is not joined, but stops this one.
    name = f"live-{number}-{generation.digest_of(told)[:8]}"
    path = f"{JOBS}/{name}/live.json"
    argv = ["/usr/bin/python3", jobs.program(), "live", path]
    return jobs.Spec(
        name=name,
        title=f"measure generation {number} as it serves",
        unit="answers",
        stages=[jobs.Stage("measure", argv, seconds(settings), switch_job.ENVIRONMENT)],
        files={"live.json": json.dumps(told, indent=2)},
    )
