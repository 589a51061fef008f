"""What anybody can read of the processes of this machine."""

from __future__ import annotations

import contextlib
from pathlib import Path


def command_lines() -> str:
    """Every command line of this machine, the controller of the test."""
    found = ""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found += path.read_bytes().decode(errors="replace")
    return found
