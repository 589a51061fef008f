"""Known-bad builds: the range is told with its reason, and nothing else is."""

from __future__ import annotations

import pytest

from llamarig.builds import known_bad
from llamarig.settings import Settings


@pytest.mark.parametrize("tag", ["b10741", "b10743", "b10748"])
def test_a_build_in_a_bad_range_is_refused_with_the_reason(tag: str) -> None:
    reason = known_bad(tag)
    assert reason is not None
    assert reason.startswith("b10741 to b10748: models with MTP heads do not load")
    assert "#28159" in reason


@pytest.mark.parametrize("tag", ["b10740", "b10749", "b107410", "master", "v10741", "b10741-fix"])
def test_others_are_not(tag: str) -> None:
    assert known_bad(tag) is None


def test_the_default_is_none_of_them() -> None:
    assert known_bad(Settings().llama_cpp_tag) is None
