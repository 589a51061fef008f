"""What several programs print for one fact, kept apart by a line between them."""

from __future__ import annotations

from collections.abc import Iterable

MARK = "==="


def split(output: Iterable[str]) -> list[list[str]]:
    """The lines before the first MARK, between each and the next, and after the last."""
    found: list[list[str]] = [[]]
    for line in output:
        if line == MARK:
            found.append([])
        else:
            found[-1].append(line)
    return found
