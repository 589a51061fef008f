"""The gate can be defended: few wrong verdicts near it, and an interval that covers what it says.

CI makes a hundred proofs of each kind and allows for chance; LLAMARIG_SIMULATED_PROOFS=2000 makes
as many as docs/measurements.md reports.
"""

from __future__ import annotations

import functools
import math
import os

import pytest
from recorded_noise import modelled, recorded, residuals, sizes
from simulated_proofs import LEAST, MOST, TOKENS, Result, simulate

RUNS = int(os.environ.get("LLAMARIG_SIMULATED_PROOFS", "100"))
NOISES = {"recorded": recorded(), "modelled": modelled(sizes())}
FALSE = 0.01
COVERAGE = 0.93, 0.97


@functools.cache
def result(noise: str, speedup: float) -> Result:
    return simulate(NOISES[noise], speedup, RUNS)


def by_chance(share: float, runs: int) -> float:
    """Three standard errors of a share that is counted in `runs`."""
    return 3 * math.sqrt(share * (1 - share) / runs)


@pytest.mark.parametrize("noise", NOISES)
def test_a_sick_machine_does_not_pass(noise: str) -> None:
    found = result(noise, 1.6)
    assert found.passed <= FALSE + by_chance(FALSE, RUNS)
    assert found.failed > 0.5


@pytest.mark.parametrize("noise", NOISES)
def test_an_honest_machine_does_not_fail(noise: str) -> None:
    found = result(noise, 1.8)
    assert found.failed <= FALSE + by_chance(FALSE, RUNS)
    assert found.passed > 0.5


def test_the_interval_covers_what_it_says() -> None:
    """Also where the true speedup is the gate's, and the proof is looked at until the cap."""
    found = [result(noise, speedup) for noise in NOISES for speedup in (1.6, 1.7, 1.8)]
    low, high = COVERAGE
    covered, runs = sum(each.covered for each in found) / len(found), RUNS * len(found)
    assert covered >= low - by_chance(low, runs)
    assert covered <= high + by_chance(high, runs)


def test_what_is_clear_ends_at_the_first_look() -> None:
    assert result("recorded", 2.6).rounds < LEAST + 0.5


def test_the_noise_is_that_of_real_rounds() -> None:
    """Enough of them to draw from, both orders, and no recording of too few."""
    found = residuals()
    first = [began for rounds in found for began, _ in rounds]
    assert min(first.count("baseline"), first.count("mtp")) >= 20
    assert min(len(rounds) for rounds in found) >= 4
    assert 0 < sizes().arm < sizes().answer < sizes().step


@pytest.mark.parametrize(
    ("rounds", "baseline", "mtp", "limit"),
    [(LEAST, 44.2, 87.4, 90), (MOST, 240, 500, 60)],
    ids=["the walkthrough's card", "the rehearsal, to the cap"],
)
def test_the_tokens_of_a_proof_take_no_longer_than_promised(
    rounds: int, baseline: float, mtp: float, limit: float
) -> None:
    """Decoding alone, in seconds: loading and prefill come on top."""
    assert rounds * TOKENS * (1 / baseline + 1 / mtp) <= limit
