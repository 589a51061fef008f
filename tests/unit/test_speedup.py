"""The statistics that decide the gate."""

from __future__ import annotations

import pytest

from llamarig.measure.speedup import Estimate, Sample, estimate, verdict


def block(number: int, ratios: dict[str, float], drift: float = 1.0) -> list[Sample]:
    """A B B A: the machine slows by `drift` from run to run."""
    samples = []
    for run, arm in enumerate(("baseline", "mtp", "mtp", "baseline")):
        for prompt, ratio in ratios.items():
            speed = 100.0 * (ratio if arm == "mtp" else 1.0) * drift**run
            samples.append(Sample(arm, number, run, prompt, speed))
    return samples


def test_equal_ratios_give_that_ratio_and_no_interval() -> None:
    found = estimate(block(1, {"a": 2.0, "b": 2.0, "c": 2.0}))
    assert found.speedup == pytest.approx(2.0)
    assert (found.low, found.high) == (pytest.approx(2.0), pytest.approx(2.0))
    assert found.pairs == 2


def test_drift_cancels_in_a_block_and_shows_in_the_interval() -> None:
    """The first pair sees MTP too slow by the drift, the second too fast by the same."""
    found = estimate(block(1, {"a": 2.0}, drift=0.9))
    assert found.speedup == pytest.approx(2.0)
    assert (found.low, found.high) == (pytest.approx(1.8), pytest.approx(2.0 / 0.9))


def test_answers_of_one_run_do_not_narrow_the_interval() -> None:
    few = estimate(block(1, {"a": 2.0}, drift=0.9))
    many = estimate(block(1, {str(number): 2.0 for number in range(20)}, drift=0.9))
    assert (many.low, many.high) == (pytest.approx(few.low), pytest.approx(few.high))


def test_prompts_are_kept_apart() -> None:
    found = estimate(block(1, {"math": 2.2, "prose": 1.4}))
    assert found.by_prompt == {"math": pytest.approx(2.2), "prose": pytest.approx(1.4)}
    assert found.speedup == pytest.approx((2.2 * 1.4) ** 0.5)


def test_the_same_samples_give_the_same_interval() -> None:
    samples = block(1, {"a": 1.5, "b": 2.0, "c": 2.5}) + block(2, {"a": 1.6, "b": 1.9, "c": 2.4})
    assert estimate(samples) == estimate(samples)


def test_one_arm_alone_is_no_estimate() -> None:
    with pytest.raises(ValueError, match="both arms"):
        estimate([Sample("mtp", 1, 1, "a", 10.0)])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1.70, 2.0, "pass"), (1.5, 1.69, "fail"), (1.6, 1.8, "inconclusive")],
)
def test_the_whole_interval_decides(low: float, high: float, expected: str) -> None:
    assert verdict(Estimate((low + high) / 2, low, high, 3, {}), 1.70) == expected
