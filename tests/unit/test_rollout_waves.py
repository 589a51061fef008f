"""Canaries and waves: every host exactly once, in the inventory's order, so many at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamarig.errors import UserError
from llamarig.rollout import waves
from llamarig.rollout.waves import Limits
from llamarig.settings import Settings

NAMES = st.lists(st.text("abc012", min_size=1, max_size=4), unique=True, max_size=40)
BATCH = st.one_of(st.integers(1, 60), st.integers(1, 100).map(lambda share: f"{share}%"))


@given(NAMES, st.integers(0, 50), BATCH)
def test_every_host_has_one_turn_and_canaries_are_the_first(
    names: list[str], canary: int, batch: int | str
) -> None:
    first, others = waves.split(names, canary)
    each = waves.size(batch, len(names))
    groups = waves.waves(others, each)
    assert first + [name for group in groups for name in group] == names
    assert len(first) == min(canary, len(names))
    assert all(len(group) == each for group in groups[:-1])
    assert all(0 < len(group) <= each for group in groups)


@given(st.integers(1, 100), st.integers(1, 500))
def test_a_share_is_rounded_up(share: int, total: int) -> None:
    size = waves.size(f"{share}%", total)
    assert (size - 1) * 100 < total * share <= size * 100


@pytest.mark.parametrize(
    ("batch", "total", "size"),
    [("25%", 24, 6), ("25%", 3, 1), ("25%", 5, 2), ("100%", 7, 7), ("1%", 1, 1), (4, 2, 4)],
)
def test_sizes(batch: int | str, total: int, size: int) -> None:
    assert waves.size(batch, total) == size


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("25%", "25%"), ("100%", "100%")])
def test_a_batch_is_a_count_or_a_share(text: str, value: int | str) -> None:
    assert waves.share(text) == value


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "2.5", "-1", "25 %", "%", "all", "٣"])
def test_what_is_no_batch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a count or a share"):
        waves.share(text)


def test_the_command_line_goes_before_the_settings() -> None:
    settings = {"a": Settings(rollout_canary=2, rollout_batch=3), "b": Settings(rollout_canary=2)}
    assert waves.limits(settings, batch="50%") == Limits(2, "50%", 0)
    assert waves.limits({}, canary=0) == Limits(0, "25%", 0)


def test_hosts_that_differ_are_told_each_in_a_line() -> None:
    settings = {
        "a": Settings(),
        "b": Settings(rollout_batch=3, rollout_canary=0),
        "c": Settings(rollout_batch=3),
    }
    with pytest.raises(UserError) as told:
        waves.limits(settings)
    assert str(told.value).splitlines() == [
        "rollout_batch: hosts differ (a 25%, b 3): say it once, or with --batch",
        "rollout_canary: hosts differ (a 1, b 0): say it once, or with --canary",
    ]
