"""Which packages can go: with dependencies, alternatives and an apt that refuses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llamarig.tasks.removal_packages import AptRefusesError, removable

# Package -> what it needs; a tuple of several: any one of them will do.
NEEDS: dict[str, list[tuple[str, ...]]] = {
    "g++": [("gcc",)], "gcc": [("libc-dev",)], "libc-dev": [], "git": [("liberror",)],
    "liberror": [], "theirs": [("liberror",)], "editor": [("awk1", "awk2")], "awk1": [],
    "awk2": [], "cmake": [],
}  # fmt: skip


def purge(names: Sequence[str]) -> frozenset[str]:
    """What goes with these: whatever lacks something it needs, until nothing does."""
    gone = set(names)
    while True:
        broken = {
            name
            for name, needs in NEEDS.items()
            if name not in gone and any(all(each in gone for each in one) for one in needs)
        }
        if not broken:
            return frozenset(gone)
        gone |= broken


def test_all_of_them_go_in_one_question_where_nothing_else_needs_them() -> None:
    asked: list[Sequence[str]] = []

    def simulate(names: Sequence[str]) -> frozenset[str]:
        asked.append(names)
        return purge(names)

    assert removable(["g++", "gcc", "libc-dev"], simulate) == ["g++", "gcc", "libc-dev"]
    assert asked == [[], ["g++", "gcc", "libc-dev"]]


@pytest.mark.parametrize(
    ("ours", "going"),
    [
        (["git", "liberror", "cmake"], ["cmake", "git"]),  # theirs needs liberror
        (["liberror"], []),
        (["awk1", "awk2", "cmake"], ["awk1", "cmake"]),  # editor needs one of the two
        (["gcc", "cmake"], ["cmake"]),  # g++, which is not ours, needs gcc
        ([], []),
    ],
)
def test_what_somebody_else_needs_stays(ours: list[str], going: list[str]) -> None:
    found = removable(ours, purge)
    assert found == going
    assert purge(found) <= set(ours)


def test_an_apt_that_refuses_everything_is_not_taken_for_a_need() -> None:
    with pytest.raises(AptRefusesError):
        removable(["git", "cmake"], lambda names: None)


def test_what_apt_refuses_stays() -> None:
    assert removable(["git", "cmake"], lambda names: None if "git" in names else purge(names)) == [
        "cmake"
    ]


def test_a_package_that_would_come_in_place_of_another_keeps_that_one() -> None:
    def simulate(names: Sequence[str]) -> frozenset[str]:
        return purge(names) | ({"+mawk"} if "cmake" in names else set())

    assert removable(["cmake", "g++"], simulate) == ["g++"]
