"""How many hosts, and which, in a line."""

from __future__ import annotations

from collections.abc import Sequence


def hosts(count: int) -> str:
    """`1 host`, `24 hosts`."""
    return "1 host" if count == 1 else f"{count} hosts"


def some(names: Sequence[str], most: int = 4) -> str:
    """The names; of many of them the first, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
