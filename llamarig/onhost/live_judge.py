"""What follows from the live server's rounds and a baseline that was recorded before."""

from __future__ import annotations

import statistics
from typing import Any

from llamarig.measure import speedup
from llamarig.onhost import load, proof, sample
from llamarig.onhost.sample import Taken


def judge(
    live: list[Taken],
    recorded: list[Taken],
    gate: proof.Gate,
    *,
    busy: str = "",
    final: bool = True,
) -> dict[str, Any]:
    """The figures, and verdict pass, fail or undecided.

    live: all rounds as taken; recorded: the baseline's samples, undisturbed. busy: why no more
    rounds could be had, empty where they could. final: whether this is the last look.
    """
    result = {**proof.figures(live), "min_speedup": gate.speedup, "answers_equal": None}
    result.pop("estimate")
    quiet = sample.clean(live)
    try:
        found = speedup.against(proof.plain(quiet), proof.plain(recorded))
    except ValueError:
        found = None
    if found is not None:
        result.update(_compared(quiet, recorded, found))
    if found is None or result["rounds"] < gate.rounds:
        return {**result, "verdict": "undecided", "reason": _too_few(live, result, gate, busy)}
    return {**result, **proof.concluded(result, found, gate, final=final)}


def _compared(
    live: list[Taken], recorded: list[Taken], found: speedup.Estimate
) -> dict[str, Any]:  # fmt: skip
    """What takes both sides; the baseline's figures are those recorded."""
    prefill = {
        arm: statistics.fmean(each.prompt_tps for each in samples)
        for arm, samples in (("baseline", recorded), ("mtp", live))
    }
    return {
        "speedup": found.speedup,
        "interval": proof.ends(found),
        "baseline_tps": found.baseline_tps,
        "mtp_tps": found.mtp_tps,
        "ms_per_token": {"baseline": 1000 / found.baseline_tps, "mtp": 1000 / found.mtp_tps},
        "prefill_tps": prefill,
        "prefill_loss": 1 - prefill["mtp"] / prefill["baseline"] if all(prefill.values()) else None,
        "per_prompt": {
            prompt: _prompt(
                [each for each in live if each.prompt == prompt],
                [each for each in recorded if each.prompt == prompt],
                ratio,
            )
            for prompt, ratio in found.by_prompt.items()
        },
    }


def _prompt(live: list[Taken], recorded: list[Taken], ratio: speedup.Ratio) -> dict[str, Any]:
    return {
        "class": live[0].kind,
        "baseline_tps": statistics.fmean(each.tps for each in recorded),
        "mtp_tps": statistics.fmean(each.tps for each in live),
        "speedup": ratio.speedup,
        "interval": proof.ends(ratio),
        "acceptance": sample.acceptance(live),
        "acceptance_length": sample.acceptance_length(live),
    }


def _too_few(live: list[Taken], result: dict[str, Any], gate: proof.Gate, busy: str) -> str:
    """Why nothing can be said, with the causes."""
    if busy:
        return busy
    causes = sample.causes(live)
    share = max((each.foreign for each in live), default=0.0)
    if share > load.LIMIT:
        causes[0] += f", up to {share:.0%}"
    rounds = len({each.round for each in live})
    said = f": {', '.join(causes)}" if causes else ""
    return (
        f"only {result['rounds']} of {rounds} rounds were undisturbed, {gate.rounds} are "
        f"needed{said}; run it again when the host is idle"
    )
