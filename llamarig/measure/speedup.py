"""The statistics of a speedup: pure, standard library, the same on host and controller.

A sample is one answer's decode speed as the server itself timed it. A block is four runs, A B B A,
that is two pairs of neighbours: (baseline, MTP) and (MTP, baseline). Within a pair each prompt
gives a ratio; the pair's ratio is their geometric mean, which treats twice as fast and half as fast
alike and weighs every prompt the same; the speedup is the geometric mean of the pairs.

Its 95 % interval is a bootstrap over the pairs, not over the answers: the answers of one run share
the machine's speed at that moment, which on a virtual machine wanders by a third within seconds,
so they are not independent witnesses. The seed is fixed: the same samples always give the same
verdict. With two pairs the interval is just their range; an undecided gate measures more blocks.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import defaultdict
from dataclasses import dataclass

CONFIDENCE = 0.95
RESAMPLES = 4000
SEED = 20260516


@dataclass(frozen=True)
class Sample:
    """arm: baseline or mtp; block: number of the A B B A block; run: 0 to 3 within it; tps: decode
    tokens a second."""

    arm: str
    block: int
    run: int
    prompt: str
    tps: float


@dataclass(frozen=True)
class Estimate:
    """speedup: MTP over baseline; low, high: its 95 % interval; by_prompt: ratio per prompt."""

    speedup: float
    low: float
    high: float
    pairs: int
    by_prompt: dict[str, float]


def pair_ratios(samples: list[Sample]) -> dict[tuple[int, int], dict[str, float]]:
    """Ratios per prompt for every pair of neighbours, (block, 0) and (block, 1)."""
    speeds: dict[tuple[int, int], dict[str, dict[str, float]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for each in samples:
        speeds[each.block, each.run // 2][each.prompt][each.arm] = each.tps
    ratios = {}
    for pair, prompts in sorted(speeds.items()):
        whole = {
            prompt: arms["mtp"] / arms["baseline"]
            for prompt, arms in prompts.items()
            if len(arms) == len(("baseline", "mtp"))
        }
        if whole:
            ratios[pair] = whole
    return ratios


def geometric_mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(each) for each in values))


def estimate(samples: list[Sample]) -> Estimate:
    """The speedup with its interval.

    Raises:
        ValueError: no prompt was measured in both arms.
    """
    ratios = pair_ratios(samples)
    if not ratios:
        raise ValueError("no prompt was measured in both arms")
    values = [geometric_mean(list(prompts.values())) for prompts in ratios.values()]
    chance = random.Random(SEED)
    means = sorted(geometric_mean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = (1 - CONFIDENCE) / 2
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for prompts in ratios.values():
        for prompt, ratio in prompts.items():
            by_prompt[prompt].append(ratio)
    return Estimate(
        speedup=geometric_mean(values),
        low=means[int(tail * RESAMPLES)],
        high=means[int((1 - tail) * RESAMPLES) - 1],
        pairs=len(values),
        by_prompt={prompt: geometric_mean(each) for prompt, each in by_prompt.items()},
    )


def verdict(found: Estimate, minimum: float) -> str:
    """`pass` when the whole interval reaches the minimum, `fail` when none of it does."""
    if found.low >= minimum:
        return "pass"
    if found.high < minimum:
        return "fail"
    return "inconclusive"
