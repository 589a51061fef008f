"""The arms of a bench or a sweep with their figures, each against the one without speculation."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from typing import Any

from llamarig.measure import speedup
from llamarig.onhost import proof, sample
from llamarig.onhost.sample import Taken

BASELINE = "n0"


def figures(samples: list[Taken], recipes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What was measured of every arm; recipes: name to {draft_n_max, draft_p_min}."""
    return {name: {**recipe, **_one(samples, name)} for name, recipe in recipes.items()}


def quiet(samples: list[Taken], name: str) -> list[Taken]:
    """The samples of an arm and the baseline from those rounds in which nobody disturbed the two:
    with many arms hardly any round would be clean throughout."""
    return sample.clean(each for each in samples if each.arm in (BASELINE, name))


def clean_rounds(samples: list[Taken], names: Iterable[str]) -> int:
    """How many rounds count of the arm that was disturbed most."""
    return min(len({each.round for each in quiet(samples, name)}) for name in names)


def best(arms: dict[str, Any]) -> str | None:
    """The fastest arm, which may be the baseline; None where nothing could be compared."""
    known = {name: float(each["speedup"]) for name, each in arms.items() if each["speedup"]}
    return max(known, key=known.__getitem__) if len(known) > 1 else None


def _one(samples: list[Taken], name: str) -> dict[str, Any]:
    clean = quiet(samples, name)
    found = _estimate(clean, name)
    own = [each for each in clean if each.arm == name]
    by_prompt = {}
    for prompt, kind in {each.prompt: each.kind for each in own}.items():
        ratio = found.by_prompt[prompt] if found else None
        answers = [each for each in own if each.prompt == prompt]
        by_prompt[prompt] = {"class": kind, **_figures(answers, ratio)}
    return {**_figures(own, found), "rounds": len({each.round for each in own}),
            "per_prompt": by_prompt}  # fmt: skip


def _estimate(samples: list[Taken], name: str) -> speedup.Estimate | None:
    try:
        return speedup.estimate(proof.plain(samples), arm=name, baseline=BASELINE)
    except ValueError:
        return None


def _figures(
    samples: list[Taken], found: speedup.Estimate | speedup.Ratio | None
) -> dict[str, Any]:
    """Every round asks every prompt once, so that the mean over answers is that over prompts. One
    round has no interval, and the baseline none over itself."""
    rounds = {each.round for each in samples}
    known = found and len(rounds) > 1 and samples[0].arm != BASELINE
    return {
        "tps": _mean(samples, lambda each: each.tps),
        "speedup": found and found.speedup,
        "interval": [found.low, found.high] if found and known else None,
        "acceptance": sample.acceptance(samples),
        "acceptance_length": sample.acceptance_length(samples),
        "prefill_tps": _mean(samples, lambda each: each.prompt_tps),
    }


def _mean(samples: list[Taken], value: Callable[[Taken], float]) -> float | None:
    return statistics.fmean(value(each) for each in samples) if samples else None
