"""Noise of real rounds (tests/recorded/rounds.json), for proofs that are made of it.

In two ways. `recorded` draws whole recorded rounds with their three answers in both arms, relative
to their recording's mean, so that outliers and what the arms share stay; rounds that began with the
baseline stand where such rounds stand in a proof. `modelled` takes their variance apart (drift that
a round shares, arm within the round, answer) and draws from normal distributions, the drift as a
walk from round to round. One assumes no distribution, the other knows no luck of the 141 rounds.
"""

from __future__ import annotations

import json
import math
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "recorded" / "rounds.json"
PROMPTS = 3

Answers = list[list[float]]  # logarithms of tokens a second: of the baseline's answers, of MTP's
Noise = Callable[[random.Random, float], Iterator[tuple[float, float]]]  # see `recorded`


def residuals() -> list[list[tuple[str, Answers]]]:
    """By recording and round: which arm began, and what each answer differs by from the mean of its
    arm in the recording; widened, since that mean is of the same few rounds."""
    found = []
    for recording in json.loads(RECORDED.read_text(encoding="utf-8")):
        rounds = recording["rounds"]
        logs = [[[math.log(tps) for tps in each[arm]] for arm in ("baseline", "mtp")]
                for each in rounds]  # fmt: skip
        means = [statistics.fmean(tps for both in logs for tps in both[arm]) for arm in (0, 1)]
        wider = math.sqrt(len(rounds) / (len(rounds) - 1))
        found.append([
            (each["first"], [[(tps - means[arm]) * wider for tps in both[arm]] for arm in (0, 1)])
            for each, both in zip(rounds, logs, strict=True)
        ])  # fmt: skip
    return found


def recorded() -> Noise:
    """A function that gives a proof's rounds without end: mean tokens a second over the prompts of
    the baseline and of MTP, for a true speedup."""
    pools: dict[str, list[tuple[float, float]]] = {"baseline": [], "mtp": []}
    for first, (slow, fast) in (each for rounds in residuals() for each in rounds):
        pools[first].append((statistics.fmean(map(math.exp, slow)),
                             statistics.fmean(map(math.exp, fast))))  # fmt: skip
    # What the pools themselves have for a speedup: MTP's mean over the baseline's, as rounds
    # alternate.
    means = [sum(statistics.fmean(each[arm] for each in pool) for pool in pools.values())
             for arm in (0, 1)]  # fmt: skip

    def proof(chance: random.Random, speedup: float) -> Iterator[tuple[float, float]]:
        for number in count(1):
            slow, fast = chance.choice(pools["baseline" if number % 2 else "mtp"])
            yield slow, fast * speedup * means[0] / means[1]

    return proof


@dataclass(frozen=True)
class Sizes:
    """Standard deviations of log(tokens a second). step: of what a round's both arms share, from
    round to round; arm: of an arm within its round; answer: of an answer within its arm."""

    step: float
    arm: float
    answer: float


def sizes() -> Sizes:
    """The recorded rounds' by the method of moments."""
    rounds = [each for recording in residuals() for _, each in recording]
    answer = statistics.fmean(statistics.variance(arm) for both in rounds for arm in both)
    apart = [statistics.fmean(fast) - statistics.fmean(slow) for slow, fast in rounds]
    arm = statistics.fmean(each**2 for each in apart) / 2 - answer / PROMPTS
    levels = [[statistics.fmean(slow + fast) for _, (slow, fast) in recording]
              for recording in residuals()]  # fmt: skip
    steps = [(after - before) ** 2 for each in levels for before, after in pairwise(each)]
    own = arm + answer / PROMPTS  # two rounds' own noise, of two arms each, is in a step too
    return Sizes(*(math.sqrt(max(0.0, each))
                   for each in (statistics.fmean(steps) - own, arm, answer)))  # fmt: skip


def modelled(found: Sizes) -> Noise:
    """As `recorded`, from normal distributions."""

    def proof(chance: random.Random, speedup: float) -> Iterator[tuple[float, float]]:
        level = 0.0
        while True:
            level += chance.gauss(0, found.step)
            arms = [level + chance.gauss(0, found.arm) for _ in range(2)]
            slow, fast = (
                statistics.fmean(
                    math.exp(arm + chance.gauss(0, found.answer)) for _ in range(PROMPTS)
                )
                for arm in arms
            )
            yield slow, fast * speedup

    return proof
