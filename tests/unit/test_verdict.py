"""What an interval says of the gate, and how sure an early end has to be."""

from __future__ import annotations

import pytest

from llamarig.measure import interval
from llamarig.measure.speedup import Estimate, verdict


def found(low: float, high: float, rounds: int = 6) -> Estimate:
    middle = (low * high) ** 0.5
    return Estimate(middle, low, high, rounds, 100.0, 100.0 * middle, {})


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1.70, 2.0, "pass"), (1.5, 1.69, "fail"), (1.6, 1.8, "undecided"), (1.5, 1.70, "undecided")],
)
def test_the_whole_interval_decides(low: float, high: float, expected: str) -> None:
    assert verdict(found(low, high), 1.70) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1.75, 2.0, "undecided"), (1.9, 2.1, "pass"), (1.5, 1.66, "undecided"), (1.5, 1.6, "fail")],
)
def test_before_the_last_look_a_wider_one_decides(low: float, high: float, expected: str) -> None:
    """With six rounds 99.5 % are 4.773 / 2.571 = 1.86 times as wide."""
    assert verdict(found(low, high), 1.70, final=False) == expected


def test_more_rounds_need_less_margin() -> None:
    assert verdict(found(1.75, 1.85, rounds=2), 1.70, final=False) == "undecided"
    assert verdict(found(1.75, 1.85, rounds=14), 1.70, final=False) == "pass"


@pytest.mark.parametrize(
    ("confidence", "freedom", "t"),
    [
        (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 5, 2.571), (0.95, 10, 2.228),
        (0.95, 15, 2.131), (0.99, 1, 63.657), (0.99, 4, 4.604), (0.99, 7, 3.499),
        (0.998, 6, 5.208),
    ],
)  # fmt: skip
def test_students_t_is_that_of_the_tables(confidence: float, freedom: int, t: float) -> None:
    """Of any textbook: two-sided 5, 1 and 0.2 %."""
    assert interval.student(confidence, freedom) == pytest.approx(t, abs=0.001)
