"""The interval of a ratio of means, from few rounds: pure, standard library.

The bootstrap gives the standard error of log(ratio); the interval is the log ratio plus and minus
Student's t for rounds - 1 degrees of freedom times that error, which first is widened by
sqrt(n / (n - 1)), since resampling n rounds has their spread about their own mean (Hesterberg,
What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015: "t with
bootstrap standard error" and "narrowness bias"). The plain percentile interval covers 85 % where
it says 95 with six rounds, Hesterberg's expanded percentiles 93 % (docs/measurements.md), and with
two rounds neither can be wider than the two.
"""

from __future__ import annotations

import functools
import math
import operator
import random
import statistics
from collections.abc import Sequence

RESAMPLES = 2000
SEED = 20260516  # fixed: the same samples always give the same verdict

Draw = tuple[int, ...]  # the rounds of one resample
Side = tuple[Sequence[float], Sequence[Draw]]  # a figure per round, and the resamples of them


@functools.lru_cache(maxsize=8)
def draws(rounds: int, stream: int = 0) -> list[Draw]:
    """Resamples of `rounds` rounds; another stream is independent of the first."""
    chance = random.Random(SEED + stream)
    return [tuple(chance.choices(range(rounds), k=rounds)) for _ in range(RESAMPLES)]


def log_error(under: Side, over: Side, rounds: int) -> float:
    """Standard error of log(mean of `over` / mean of `under`), from two rounds and more."""
    spread: float = statistics.pstdev(map(operator.sub, _log_sums(*over), _log_sums(*under)))
    return spread * math.sqrt(rounds / (rounds - 1))


def _log_sums(values: Sequence[float], resamples: Sequence[Draw]) -> list[float]:
    return [math.log(sum(map(values.__getitem__, picks))) for picks in resamples]


@functools.lru_cache(maxsize=64)
def student(confidence: float, freedom: int) -> float:
    """t that holds `confidence` of Student's distribution within plus and minus itself."""
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        if _within(angle, freedom) < confidence:
            low = angle
        else:
            high = angle
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """Share of Student's distribution within t = sqrt(freedom) * tan(angle) of zero; Abramowitz and
    Stegun, 26.7.3 and 26.7.4."""
    power = freedom % 2
    term, total = math.cos(angle) ** power, 0.0
    while power <= freedom - 2:
        total += term
        term *= math.cos(angle) ** 2 * (power + 1) / (power + 2)
        power += 2
    share = math.sin(angle) * total
    return (angle + share) * 2 / math.pi if freedom % 2 else share
