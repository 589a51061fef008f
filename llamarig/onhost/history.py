"""The host's own history: what became current, or did not, when, by whom and how it went."""

from __future__ import annotations

import json
import os
import time
from typing import Any

# A line is about 300 bytes; a host that switches daily keeps some years.
MOST_LINES = 1000


def append(path: str, **what: Any) -> None:
    """Add one line to the JSON lines at `path`, with the time (epoch seconds) as `when`."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({"when": time.time(), **what}, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    _shorten(path)


def _shorten(path: str) -> None:
    """Keep the newest lines once there are twice as many as kept."""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.readlines()
    if len(lines) <= 2 * MOST_LINES:
        return
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        file.writelines(lines[-MOST_LINES:])
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
