"""The speedup that the gate judges: pure, standard library, the same on host and controller.

The estimand: speedup = the mean over the suite's prompts of tokens a second with MTP, over the mean
of those without, as the walkthrough's 1.98. Every prompt weighs the same, and every round. A sample
is one answer's decode speed as the server itself timed it. A round asks all prompts in both arms,
one arm right after the other; rounds go there and back (A B, B A), so that drift cancels over two.

Its 95 % interval is a bootstrap over whole rounds (interval.py). The answers of one round share the
machine's speed at that moment, which on a virtual machine wanders by a third within seconds: they
are not independent witnesses. So a resample draws rounds, and every prompt takes part in it with
its answers of just these; the prompts' own intervals come from the same resamples. Drift within
rounds counts as noise, which makes intervals rather too wide than too narrow.

A proof is looked at repeatedly, and at every look a 95 % interval may miss by chance. So before the
last look only a 99.5 % interval ends it; the last takes the 95 % one as it is (the rule of
Haybittle, Br J Radiol 44, 1971, and Peto et al., Br J Cancer 34, 1976). Thus the reported interval
covers nearly what it says even where the true speedup is next to the gate (docs/measurements.md).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llamarig.measure import interval

CONFIDENCE = 0.95
EARLY = 0.995
Row = dict[str, float]  # tokens a second by prompt: one arm in one round
Side = tuple[list[Row], list[interval.Draw]]  # an arm's rounds, and the resamples of them


@dataclass(frozen=True)
class Sample:
    """One answer. round: counted over a proof; tps: decode tokens a second, above 0."""

    arm: str
    round: int
    prompt: str
    tps: float


@dataclass(frozen=True)
class Ratio:
    """A speedup and its 95 % interval; from one round that is 0 to infinity."""

    speedup: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate(Ratio):
    """rounds: what it rests on, the fewer of two recordings; the speeds are means over prompts."""

    rounds: int
    baseline_tps: float
    mtp_tps: float
    by_prompt: dict[str, Ratio]


def estimate(samples: Iterable[Sample], arm: str = "mtp", baseline: str = "baseline") -> Estimate:
    """The speedup of `arm` over `baseline` in the rounds that have all prompts in both.

    Raises:
        ValueError: there is no such round.
    """
    found = [each for each in samples if each.arm in (arm, baseline)]
    prompts = list(dict.fromkeys(each.prompt for each in found))
    slow, fast = _rows(found, baseline, prompts), _rows(found, arm, prompts)
    both = sorted(slow.keys() & fast.keys())
    if not both:
        raise ValueError(f"no round has all prompts in both arms, {baseline} and {arm}")
    picks = interval.draws(len(both))
    under, over = [slow[each] for each in both], [fast[each] for each in both]
    return _estimate(prompts, (under, picks), (over, picks))


def against(
    live: Iterable[Sample], recorded: Iterable[Sample], arm: str = "mtp", baseline: str = "baseline"
) -> Estimate:
    """The speedup of live rounds of `arm` over recorded rounds of `baseline`, for the prompts that
    both have. No round of one belongs to one of the other, so each side is resampled on its own.
    What the machine's speed did between the two times is in no interval.

    Raises:
        ValueError: no prompt was measured on both sides.
    """
    now, then = list(live), list(recorded)
    known = {each.prompt for each in then if each.arm == baseline}
    prompts = list(dict.fromkeys(each.prompt for each in now if each.prompt in known))
    under = list(_rows(then, baseline, prompts).values())
    over = list(_rows(now, arm, prompts).values())
    if not prompts or not under or not over:
        raise ValueError(f"no prompt was measured both live ({arm}) and before ({baseline})")
    picks = interval.draws(len(under)), interval.draws(len(over), stream=1)
    return _estimate(prompts, (under, picks[0]), (over, picks[1]))


def verdict(found: Estimate, minimum: float, final: bool = True) -> str:
    """`pass` when the whole interval reaches the minimum, `fail` when none of it does, else
    `undecided`. final: whether this is the last look; before it the wider interval decides."""
    low, high = (found.low, found.high) if final or found.rounds < 2 else _early(found)
    if low >= minimum:
        return "pass"
    return "fail" if high < minimum else "undecided"


def _early(found: Estimate) -> tuple[float, float]:
    freedom = found.rounds - 1
    wider = interval.student(EARLY, freedom) / interval.student(CONFIDENCE, freedom)
    middle = found.speedup
    return middle * (found.low / middle) ** wider, middle * (found.high / middle) ** wider


def _rows(samples: Iterable[Sample], arm: str, prompts: Sequence[str]) -> dict[int, Row]:
    """By round; one without all prompts says nothing of their mean."""
    rows: dict[int, Row] = {}
    for each in samples:
        if each.arm == arm and each.prompt in prompts:
            rows.setdefault(each.round, {})[each.prompt] = each.tps
    return {number: row for number, row in rows.items() if len(row) == len(prompts)}


def _estimate(prompts: list[str], under: Side, over: Side) -> Estimate:
    whole = _ratio(prompts, under, over)
    return Estimate(
        **vars(whole),
        rounds=min(len(under[0]), len(over[0])),
        baseline_tps=statistics.fmean(_means(under[0], prompts)),
        mtp_tps=statistics.fmean(_means(over[0], prompts)),
        by_prompt={each: _ratio([each], under, over) for each in prompts},
    )


def _ratio(prompts: list[str], under: Side, over: Side) -> Ratio:
    slow, fast = _means(under[0], prompts), _means(over[0], prompts)
    ratio, rounds = statistics.fmean(fast) / statistics.fmean(slow), min(len(slow), len(fast))
    if rounds < 2:
        return Ratio(ratio, 0.0, math.inf)
    error = interval.log_error((slow, under[1]), (fast, over[1]), rounds)
    factor = math.exp(interval.student(CONFIDENCE, rounds - 1) * error)
    return Ratio(ratio, ratio / factor, ratio * factor)


def _means(rows: list[Row], prompts: list[str]) -> list[float]:
    return [statistics.fmean(row[each] for each in prompts) for row in rows]
