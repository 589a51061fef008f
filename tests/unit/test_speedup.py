"""The statistics that decide the gate."""

from __future__ import annotations

import math
from statistics import fmean

import pytest

from llamarig.measure.speedup import Ratio, Sample, against, estimate, verdict


def rounds(ratios: list[float], prompts: str = "abc", drift: float = 1.0) -> list[Sample]:
    """A round per ratio; `drift`: what the machine's speed is multiplied by from round to round."""
    return [
        Sample(arm, number, prompt, speed * drift**number)
        for number, ratio in enumerate(ratios, start=1)
        for prompt in prompts
        for arm, speed in (("baseline", 100.0), ("mtp", 100.0 * ratio))
    ]


def test_the_speedup_is_the_ratio_of_the_means_over_prompts() -> None:
    """Not the mean of ratios, which would be 2.25 here."""
    speeds = {"math": (50.0, 150.0), "prose": (100.0, 150.0)}
    samples = [
        Sample(arm, number, prompt, pair[side])
        for number in (1, 2)
        for prompt, pair in speeds.items()
        for side, arm in enumerate(("baseline", "mtp"))
    ]
    found = estimate(samples)
    assert (found.speedup, found.baseline_tps, found.mtp_tps) == (2.0, 75.0, 150.0)
    assert {prompt: each.speedup for prompt, each in found.by_prompt.items()} == {
        "math": 3.0,
        "prose": 1.5,
    }


def test_the_walkthroughs_prompts_give_its_figures() -> None:
    baseline, mtp = (44.3, 44.1, 44.2), (82.8, 81.6, 97.8)
    samples = [
        Sample(arm, 1, prompt, speed)
        for arm, speeds in (("n0", baseline), ("n3", mtp))
        for prompt, speed in zip("abc", speeds, strict=True)
    ]
    found = estimate(samples, arm="n3", baseline="n0")
    assert (round(found.baseline_tps, 1), round(found.mtp_tps, 1)) == (44.2, 87.4)
    assert round(found.speedup, 2) == 1.98


def test_what_slows_a_whole_round_is_no_uncertainty() -> None:
    found = estimate(rounds([2.0] * 6, drift=0.8))
    assert (found.low, found.speedup, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_the_interval_is_students_over_rounds() -> None:
    """Where the ratios alone vary, and little, the bootstrap has the textbook's error of a mean."""
    ratios = [1.98, 1.99, 2.0, 2.0, 2.01, 2.02]
    found = estimate(rounds(ratios))
    error = math.sqrt(sum((each - 2.0) ** 2 for each in ratios) / 5 / 6)
    assert found.high - 2.0 == pytest.approx(2.571 * error, rel=0.05)
    assert found.speedup / found.low == pytest.approx(found.high / found.speedup)


def test_answers_of_one_round_do_not_narrow_the_interval() -> None:
    few, many = (estimate(rounds([1.8, 2.0, 2.2, 1.9], prompts)) for prompts in ("a", "abcdefghi"))
    assert (many.low, many.high) == pytest.approx((few.low, few.high))
    assert many.by_prompt["a"] == few.by_prompt["a"] == Ratio(few.speedup, few.low, few.high)


def test_a_prompt_has_its_own_interval() -> None:
    steady = [each for each in rounds([2.0] * 4) if each.prompt != "b"]
    samples = steady + [each for each in rounds([1.0, 3.0, 1.5, 2.5]) if each.prompt == "b"]
    found = estimate(samples)
    assert found.by_prompt["a"].low == pytest.approx(2.0)
    assert found.by_prompt["b"].low < found.low < 2.0 < found.high < found.by_prompt["b"].high


def test_a_round_that_was_cut_off_does_not_count() -> None:
    whole = rounds([1.9, 2.1])
    cut = [each for each in rounds([9.0] * 3) if each.round == 3 and each.prompt != "c"]
    assert estimate(whole + cut) == estimate(whole)
    with pytest.raises(ValueError, match="no round has all prompts in both arms, baseline and mtp"):
        estimate([each for each in whole if each.arm == "mtp" or each.prompt != "c"])


def test_other_arms_do_not_matter() -> None:
    samples = rounds([1.9, 2.1])
    assert estimate([*samples, Sample("n5", 1, "else", 1.0)]) == estimate(samples)


def test_one_round_decides_nothing() -> None:
    found = estimate(rounds([9.0]))
    assert (found.speedup, found.low, found.high) == (pytest.approx(9.0), 0.0, math.inf)
    assert verdict(found, 1.7) == verdict(found, 1.7, final=False) == "undecided"


def test_a_live_check_takes_the_recorded_baseline_alone() -> None:
    """Each side is resampled on its own, so that the noise of both is in the interval."""
    recorded = rounds([1.0] * 6, drift=1.02)
    live = [each for each in rounds([1.8, 2.0, 2.2, 1.9, 2.0, 2.1]) if each.arm == "mtp"]
    found, of_live = against(live, recorded), estimate(rounds([1.8, 2.0, 2.2, 1.9, 2.0, 2.1]))
    slow = fmean(each.tps for each in recorded if each.arm == "baseline")
    assert (found.baseline_tps, found.mtp_tps) == pytest.approx((slow, 200.0))
    assert found.speedup == pytest.approx(200.0 / slow)
    assert found.high / found.low > 1.01 * of_live.high / of_live.low
    assert found.by_prompt.keys() == {"a", "b", "c"}


def test_a_live_check_rests_on_what_both_sides_have() -> None:
    live = [each for each in rounds([2.0] * 3, "abd") if each.arm == "mtp"]
    found = against(live, rounds([1.0] * 5, "abc"))
    assert (found.rounds, list(found.by_prompt)) == (3, ["a", "b"])
    with pytest.raises(ValueError, match="both live"):
        against(live, rounds([1.0], "xyz"))
