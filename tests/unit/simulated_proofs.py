"""Proofs made of noise: how often the gate errs, and whether the interval covers the truth.

`python tests/unit/simulated_proofs.py` prints the whole table, 2,000 proofs a line (ten minutes).
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from recorded_noise import PROMPTS, Noise, modelled, recorded, sizes

from llamarig.measure.speedup import Estimate, Sample, estimate, verdict
from llamarig.settings import Settings

FIELDS = Settings.model_fields
GATE = FIELDS["min_speedup"].default
LEAST, MOST = FIELDS["proof_rounds"].default, FIELDS["proof_max_rounds"].default
TOKENS = PROMPTS * FIELDS["proof_tokens"].default  # of an arm in a round


def prove(rounds: Iterator[tuple[float, float]]) -> tuple[str, Estimate]:
    """The procedure of llamarig/onhost/prove.py. The suite's mean stands for its prompts: the
    overall figures know no more of them."""
    samples = []
    for number in range(1, MOST + 1):
        for arm, tps in zip(("baseline", "mtp"), next(rounds), strict=True):
            samples.append(Sample(arm, number, "suite", tps))
        if number == MOST or (number >= LEAST and number % 2 == 0):
            found = estimate(samples)
            said = verdict(found, GATE, final=number == MOST)
            if said != "undecided":
                break
    return said, found


@dataclass(frozen=True)
class Result:
    """Shares of the runs; rounds and tokens: means over them."""

    runs: int
    passed: float
    failed: float
    covered: float
    rounds: float

    @property
    def tokens(self) -> float:
        return 2 * self.rounds * TOKENS


def simulate(noise: Noise, speedup: float, runs: int) -> Result:
    chance = random.Random(round(1000 * speedup))
    proofs = [prove(noise(chance, speedup)) for _ in range(runs)]
    said = [each for each, _ in proofs]
    return Result(
        runs=runs,
        passed=said.count("pass") / runs,
        failed=said.count("fail") / runs,
        covered=sum(each.low <= speedup <= each.high for _, each in proofs) / runs,
        rounds=statistics.fmean(each.rounds for _, each in proofs),
    )


def main(runs: int = 2000) -> None:
    print(f"gate {GATE}, {LEAST} to {MOST} rounds, {runs} proofs a line; {sizes()}")
    print("| noise | true | pass | fail | undecided | coverage | rounds | tokens |")
    print("|---|---|---|---|---|---|---|---|")
    for name, noise in (("recorded", recorded()), ("modelled", modelled(sizes()))):
        for speedup in (1.3, 1.6, 1.65, 1.7, 1.75, 1.8, 2.0, 2.6):
            found = simulate(noise, speedup, runs)
            open_ = 1 - found.passed - found.failed
            print(
                f"| {name} | {speedup} | {found.passed:.2%} | {found.failed:.2%} | {open_:.2%} | "
                f"{found.covered:.1%} | {found.rounds:.1f} | {found.tokens:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
