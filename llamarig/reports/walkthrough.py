"""The walkthrough's measurement: its raw table, as samples and as a record of a bench."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from llamarig.measure.speedup import Sample, estimate

BASELINE = "n0"


@cache
def table() -> dict[str, Any]:
    """walkthrough.yaml: `depths`, `prompts` with tokens a second by arm, `prefill`, its source."""
    text = files("llamarig.reports").joinpath("walkthrough.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def samples() -> list[Sample]:
    """The raw table: one round, an answer per arm and prompt."""
    found = table()
    return [
        Sample(arm=arm, round=1, prompt=prompt, tps=row[arm])
        for prompt, row in found["prompts"].items()
        for arm in found["depths"]
    ]


def record() -> dict[str, Any]:
    """The table as the record of a bench; without intervals, which one round can't have."""
    found = table()
    arms = {name: _arm(name) for name in found["depths"]}
    context = {"card": {"name": found["card"]}, "measured": None}
    return {"kind": "bench", "arms": arms, "context": context, "min_speedup": 1.7, "rounds": 1}


def _arm(name: str) -> dict[str, Any]:
    found = table()
    whole = estimate(samples(), arm=name, baseline=BASELINE)
    prompts = {
        prompt: {
            "class": row["class"],
            "tps": row[name],
            "speedup": None if name == BASELINE else whole.by_prompt[prompt].speedup,
        }
        for prompt, row in found["prompts"].items()
    }
    return {
        "draft_n_max": found["depths"][name],
        "tps": whole.mtp_tps,
        "speedup": None if name == BASELINE else whole.speedup,
        "prefill_tps": found["prefill"][name],
        "per_prompt": prompts,
    }
