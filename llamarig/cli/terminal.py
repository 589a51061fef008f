"""Whether there is somebody to ask."""

from __future__ import annotations

import sys


def can_ask() -> bool:
    """Whether stdin is a terminal; Python has none at all where it was closed (`<&-`)."""
    # typeshed knows no closed stdin.
    stdin: object = sys.stdin
    return stdin is not None and sys.stdin.isatty()
