"""The record of a tuning: every arm that was tried with its figures, and which one is best."""

from __future__ import annotations

from typing import Any

from llamarig.measure import speedup
from llamarig.measure.search import Outcome
from llamarig.onhost import arms, sample
from llamarig.onhost.sample import Taken


def of(
    outcome: Outcome, samples: list[Taken], recipes: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Everything that follows from a search and its samples. recipes: of all arms, name to
    {draft_n_max, draft_p_min}.

    A finalist's figures are those of the final's undisturbed rounds. What came no further has one
    round, and a speedup without an interval.
    """
    final = [each for each in samples if each.round in outcome.rounds]
    early = [each for each in samples if each.round not in outcome.rounds]
    decided = {each.arm for each in final}
    found = {
        **arms.figures(early, {name: recipes[name] for name in _tried(early) - decided}),
        **arms.figures(final, {name: recipes[name] for name in decided}),
    }
    for name, each in found.items():
        each["speedup"] = each["speedup"] or outcome.scores.get(name)
    best = outcome.best.name if outcome.best else None
    won = found.get(best or "", {})
    return {
        "arms": dict(sorted(found.items())),
        "best": best,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "speedup": won.get("speedup"),
        "interval": won.get("interval"),
        "confidence": speedup.CONFIDENCE,
        "tps": won.get("tps"),
        "baseline_tps": found.get(arms.BASELINE, {}).get("tps"),
        "acceptance": won.get("acceptance"),
        "acceptance_length": won.get("acceptance_length"),
        "rounds": len(outcome.rounds),
        "disturbed_rounds": len({each.round for each in samples if each.disturbed}),
        "disturbances": sample.disturbances(samples),
        "steps": outcome.steps,
        "tokens": outcome.spent,
        "samples": [each.document() for each in samples],
    }


def _tried(samples: list[Taken]) -> set[str]:
    return {each.arm for each in samples}
