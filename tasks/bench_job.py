"""The bench's job: a unit for every draft depth, and what the host is told to measure."""

from __future__ import annotations

import json
from typing import Any

from llamarig import bench
from llamarig.paths import GENERATIONS, JOBS
from llamarig.settings import Settings
from llamarig.tasks import generation, proof, switch_job
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.operations import jobs

# Of a 27B model on a processor: the job's limit is there for what hangs, not for what is slow.
SLOWEST_TPS = 1


def record_path(folder: str) -> str:
    """Where a job leaves its record; folder: the job's."""
    return f"{folder}/record.json"


def arm(depth: int) -> str:
    """How a draft depth is called on the host: its unit, and in the record."""
    return f"n{depth}"


def at_depth(settings: Settings, depth: int) -> Settings:
    """The settings with this draft depth; 0: without speculation."""
    if depth == 0:
        return settings.model_copy(update={"spec_type": "none"})
    return settings.model_copy(update={"spec_type": "draft-mtp", "draft_n_max": depth})


def _recipe(settings: Settings) -> dict[str, Any]:
    """What tells an arm from another, as the record keeps it."""
    if settings.spec_type == "none":
        return {"draft_n_max": 0, "draft_p_min": None}
    return {"draft_n_max": settings.draft_n_max, "draft_p_min": settings.draft_p_min}


def asked(settings: Settings, wanted: bench.Wanted) -> Settings:
    """The settings with the suite and the tokens that were asked for."""
    tokens = wanted.tokens or settings.proof_tokens
    return settings.model_copy(update={"proof_suite": wanted.suite, "proof_tokens": tokens})


def _config(
    settings: Settings, of: Generation, wanted: bench.Wanted, build_number: int, folder: str
) -> dict[str, Any]:
    depths = {arm(depth): at_depth(settings, depth) for depth in wanted.depths}
    return {
        **switch_job.config(settings, of.number, "bench"),
        **proof.measuring(settings, f"{GENERATIONS}/{of.number}"),
        "build_number": build_number,
        "request_timeout_s": max(600, settings.proof_tokens // SLOWEST_TPS),
        "record": record_path(folder),
        "arms": {name: f"{folder}/{name}.service" for name in depths},
        "recipes": {name: _recipe(each) for name, each in depths.items()},
        "rounds": wanted.rounds,
        "min_speedup": settings.min_speedup,
        "measured_with": proof.measured_with(settings, of),
    }


def seconds(settings: Settings, wanted: bench.Wanted, prompts: int) -> int:
    """How long all of it may take: disturbed rounds are measured twice."""
    answers = 2 * wanted.rounds * len(wanted.depths) * prompts
    return settings.proof_timeout_minutes * 60 + answers * settings.proof_tokens // SLOWEST_TPS


def spec(
    settings: Settings, of: Generation, wanted: bench.Wanted, *, build_number: int, systemd: int
) -> jobs.Spec:
    """The job that measures the depths on the host. Its last words see to it that what is proven
    serves again, whatever happened before.

    settings: as `asked` makes them. build_number, systemd: the release's, and the host's version.
    """
    units = {
        f"{arm(depth)}.service": generation.trial(
            at_depth(settings, depth), of.number, systemd=systemd
        )
        for depth in wanted.depths
    }
    # Another bench is another job: it is not joined, but stops this one.
    same = generation.digest_of([units, wanted.data(), proof.measured_with(settings, of)])[:8]
    name = f"bench-{of.number}-{same}"
    folder = f"{JOBS}/{name}"
    config = _config(settings, of, wanted, build_number, folder)
    python = ["/usr/bin/python3", jobs.program(), "bench"]
    limit = seconds(settings, wanted, len(config["prompts"]))
    place = f"{folder}/bench.json"
    return jobs.Spec(
        name=name,
        title=f"bench generation {of.number}",
        unit="answers",
        stages=[jobs.Stage("measure", [*python, place], limit, switch_job.ENVIRONMENT)],
        last_words=[*python, "--finish", place],
        last_words_s=switch_job.last_words_seconds(settings),
        instead_of=("prove", "switch", "tune"),
        files={**units, "bench.json": json.dumps(config, indent=2)},
    )
