"""The statistics of a speedup: pure, standard library, the same on host and controller.

A sample is one answer's decode speed as the server itself timed it. Samples are paired: the same
prompt in the same block (A B B A) in both arms. The estimate is the geometric mean of the pairs'
ratios, which treats twice as fast and half as fast alike and weighs every prompt the same. Its
95 % interval is a bootstrap over the pairs with a fixed seed, so that the same samples always give
the same verdict. With few pairs a bootstrap is too narrow: it can't know of spread that it has not
seen. That is why a block has four runs and an undecided gate measures more blocks.
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
    """arm: baseline or mtp; block: number of the A B B A block; tps: decode tokens a second."""

    arm: str
    block: int
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


def pair_ratios(samples: list[Sample]) -> list[tuple[str, float]]:
    """(prompt, ratio) for every prompt and block that both arms measured.

    Within a block each arm answered a prompt twice; their mean cancels drift, which is what the
    order A B B A is for.
    """
    speeds: dict[tuple[int, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in samples:
        speeds[each.block, each.prompt][each.arm].append(each.tps)
    ratios = []
    for (_, prompt), arms in sorted(speeds.items()):
        if arms["baseline"] and arms["mtp"]:
            ratio = statistics.fmean(arms["mtp"]) / statistics.fmean(arms["baseline"])
            ratios.append((prompt, ratio))
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
    values = [ratio for _, ratio in ratios]
    chance = random.Random(SEED)
    means = sorted(geometric_mean(chance.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = (1 - CONFIDENCE) / 2
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for prompt, ratio in ratios:
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
