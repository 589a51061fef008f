"""Made hosts for a test module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llamarig.rehearsal.lab import Lab


@contextmanager
def made_lab(name: str, count: int = 1, **how: Any) -> Iterator[Lab]:
    """A lab of `count` hosts, named for this process; removed whatever happens. how: as in
    `Lab.up`."""
    lab = Lab(f"{name}{os.getpid() % 1000}")
    try:
        lab.up(count, agreed=lambda question: True, **how)
        yield lab
    finally:
        lab.down()
