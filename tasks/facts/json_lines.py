"""A log of JSON lines on a host, read whatever it holds: what is not ours, or not whole, is
counted and costs no other line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

Entry = TypeVar("Entry")


def command(path: str, lines: int, most_bytes: int) -> str:
    """Shell that prints the last lines; nothing where there is no file, and a line that counts as
    broken where something else stands in its place."""
    # Bytes last: of a line that is cut the rest counts as broken.
    tail = f"tail -n {lines} {path} 2>/dev/null | tail -c {most_bytes}; true"
    return f"if [ -d {path} ]; then echo a directory; else {tail}; fi"


def entries(output: list[str], entry: Callable[[Any], Entry]) -> tuple[tuple[Entry, ...], int]:
    """The entries, oldest first, and how many lines are broken: a power cut, a full disk or a
    hand may have cut them. entry: makes one of a line's JSON, and may raise on what is not ours."""
    lines = [line for line in output if line.strip()]
    found = []
    for line in lines:
        try:
            found.append(entry(json.loads(line)))
        except (ValueError, KeyError, TypeError, OverflowError, AttributeError, RecursionError):
            continue
    return tuple(found), len(lines) - len(found)


def text(value: Any) -> str:
    """A value that has to be text; the others of their kind. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError
    return value


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def whole(value: Any) -> int | None:
    """A whole number, or none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value
