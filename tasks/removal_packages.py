"""Which of llamarig's packages can go without taking along one that it did not install. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Simulate = Callable[[Sequence[str]], frozenset[str] | None]


class AptRefusesError(Exception):
    """Apt does not even tell what it would do."""


def removable(ours: Sequence[str], simulate: Simulate) -> list[str]:
    """The largest part of `ours` found whose removal stays within `ours`.

    simulate: what the package manager would touch to remove these; None: it would refuse.

    Raises:
        AptRefusesError: it would refuse to remove nothing at all.
    """
    allowed = frozenset(ours)
    if ours and simulate([]) is None:
        raise AptRefusesError

    def within(names: Sequence[str]) -> bool:
        touched = simulate(names)
        return touched is not None and touched <= allowed

    taken: list[str] = []

    def take(group: Sequence[str]) -> None:
        """Add the group, or the parts of it that can be: halved until the culprits are alone."""
        if within([*taken, *group]):
            taken.extend(group)
        elif len(group) > 1:
            middle = len(group) // 2
            take(group[:middle])
            take(group[middle:])

    if ours:
        take(list(ours))
    return sorted(taken)
