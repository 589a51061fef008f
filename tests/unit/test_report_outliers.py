"""Median and MAD: who is an outlier, and who only stands at the edge."""

from __future__ import annotations

import pytest

from llamarig.reports import outliers


def test_the_score_is_that_of_iglewicz_and_hoaglin() -> None:
    """Median 101, distances 1, 0, 1, 1, 9, so MAD 1 and z = 0.6745 * -9 = -6.07."""
    values = {"a": 100.0, "b": 101.0, "c": 102.0, "d": 102.0, "e": 92.0}
    (found,) = outliers.find(values)
    assert (found.name, found.value, found.median) == ("e", 92.0, 101.0)
    assert found.z == pytest.approx(-6.0705)


def test_both_sides_count_and_the_farthest_comes_first() -> None:
    values = {"a": 100.0, "b": 101.0, "c": 99.0, "d": 100.0, "low": 90.0, "high": 130.0}
    assert [each.name for each in outliers.find(values)] == ["high", "low"]


def test_just_within_the_limit_is_none() -> None:
    """MAD 2: 3.5 / 0.6745 * 2 = 10.4 from the median."""
    rest = {"a": 98.0, "b": 102.0, "c": 98.0, "d": 102.0, "e": 100.0}
    assert outliers.find({**rest, "f": 110.3}) == []
    assert [each.name for each in outliers.find({**rest, "f": 110.5, "g": 100.0})] == ["f"]


def test_of_fewer_than_four_nothing_is_typical() -> None:
    assert outliers.find({"a": 1.0, "b": 1.0, "c": 100.0}) == []
    assert [each.name for each in outliers.find({"a": 1.0, "b": 1.0, "c": 1.0, "d": 100.0})] == [
        "d"
    ]


def test_hosts_alike_to_a_hair_are_no_outliers_of_each_other() -> None:
    """The MAD is 0 or next to it, and 2.6 % of the median is what it takes."""
    rest = dict.fromkeys("abcde", 100.0)
    assert outliers.find({**rest, "f": 102.5}) == []
    assert [each.name for each in outliers.find({**rest, "f": 102.7})] == ["f"]
    assert outliers.find(dict.fromkeys("abcd", 0.0)) == []
