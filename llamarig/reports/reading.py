"""Values out of a record that a host wrote; what is not there or not of its kind is None or empty.

A record may be old, cut or forged: nothing here raises, and no text can steer a terminal or a page.
"""

from __future__ import annotations

import math
import time
from typing import Any

from llamarig.display import plain

# No figure of ours comes near; a larger one would be hundreds of digits.
MOST = 1e12
MOST_LETTERS = 300


def number(value: Any) -> float | None:
    """A finite number; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= MOST and math.isfinite(value) else None


def text(value: Any, letters: int = MOST_LETTERS) -> str:
    """Printable text or a number as text, cut to `letters`; else empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if not isinstance(value, str):
        found = number(value)
        return "" if found is None else f"{found:.15g}"
    shown = plain(value[: letters + 1]).strip()
    return shown if len(shown) <= letters else f"{shown[: letters - 1]}…"


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def pair(value: Any) -> tuple[float, float] | None:
    """An interval: its lower and upper end."""
    ends = [number(each) for each in items(value)]
    if len(ends) != 2 or ends[0] is None or ends[1] is None or ends[0] > ends[1]:
        return None
    return ends[0], ends[1]


def moment(epoch: float | None) -> str:
    """`2026-06-12 14:05` in the zone we are in; a dash where it is not known."""
    try:
        return "-" if epoch is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))
    except (OverflowError, ValueError, OSError):
        return "-"


def named(value: Any, most: int) -> dict[str, dict[str, Any]]:
    """The first `most` objects of an object, by names that are printable and not empty."""
    first = list(mapping(value).items())[:most]
    return {name: mapping(each) for key, each in first if (name := text(key, 80))}
