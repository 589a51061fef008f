"""The tuning's job: a unit for everything that may be tried, and what the host is told of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from llamarig import suite, tune
from llamarig.measure.grid import BASELINE, Candidate, Grid
from llamarig.paths import GENERATIONS, JOBS
from llamarig.settings import Settings
from llamarig.tasks import generation, proof, switch_job
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.operations import jobs

# Of a 27B model on a processor: the job's limit is there for what hangs, not for what is slow.
SLOWEST_TPS = 1


def record_path(job: str) -> str:
    """Where a job of this name leaves its record."""
    return f"{JOBS}/{job}/record.json"


def grid(settings: Settings, wanted: tune.Wanted) -> Grid:
    """What is wanted comes to with these settings: their suite, their proof's answers."""
    return wanted.grid(
        prompts=len(suite.load(settings.proof_suite).prompts),
        tokens=settings.proof_tokens,
        warmup_tokens=proof.WARMUP_TOKENS,
    )


def drafting(settings: Settings, each: Candidate) -> Settings:
    """The settings with this way to draft."""
    return settings.model_copy(
        update={"spec_type": "draft-mtp", "draft_n_max": each.depth, "draft_p_min": each.p_min}
    )


def units(settings: Settings, number: int, over: Grid, systemd: int) -> dict[str, str]:
    """Every arm's unit, by the arm's name: the host can render none itself."""
    return {
        BASELINE: generation.trial(settings, number, systemd=systemd, mtp=False),
        **{
            each.name: generation.trial(drafting(settings, each), number, systemd=systemd)
            for each in over.candidates()
        },
    }


def recipes(over: Grid) -> dict[str, dict[str, Any]]:
    """What tells the arms apart, as the record keeps it."""
    return {
        BASELINE: {"draft_n_max": 0, "draft_p_min": None},
        **{
            each.name: {"draft_n_max": each.depth, "draft_p_min": each.p_min}
            for each in over.candidates()
        },
    }


def seconds(settings: Settings, over: Grid) -> int:
    """How long all of it may take."""
    return settings.proof_timeout_minutes * 60 + over.budget // SLOWEST_TPS


def spec(settings: Settings, of: Generation, over: Grid, *, systemd: int) -> jobs.Spec:
    """The job that searches on the host, with the release and the model of a generation. Its last
    words see to it that what is proven serves again, whatever happened before.

    systemd: the host's version.
    """
    files = units(settings, of.number, over, systemd)
    measured_with = proof.measured_with(settings, of)
    # Another search is another job: it is not joined, but stops this one.
    same = generation.digest_of([files, asdict(over), measured_with])[:8]
    name = f"tune-{of.number}-{same}"
    folder = f"{JOBS}/{name}"
    config = {
        **switch_job.config(settings, of.number, "tune"),
        **proof.measuring(settings, f"{GENERATIONS}/{of.number}"),
        "record": record_path(name),
        "arms": {arm: f"{folder}/{arm}.service" for arm in files},
        "recipes": recipes(over),
        "grid": asdict(over),
        "measured_with": measured_with,
    }
    python = ["/usr/bin/python3", jobs.program(), "tune"]
    place = f"{folder}/tune.json"
    measure = [*python, place]
    return jobs.Spec(
        name=name,
        title="tune the draft depth",
        unit="answers",
        stages=[jobs.Stage("measure", measure, seconds(settings, over), switch_job.ENVIRONMENT)],
        last_words=[*python, "--finish", place],
        last_words_s=switch_job.last_words_seconds(settings),
        instead_of=("prove", "switch", "bench"),
        files={
            **{f"{arm}.service": text for arm, text in files.items()},
            "tune.json": json.dumps(config, indent=2),
        },
    )
