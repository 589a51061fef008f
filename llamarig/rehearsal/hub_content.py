"""What the stand-in hub serves, to whom, and how often it was asked."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

from llamarig.rehearsal.hub_faults import Faults


@functools.cache
def _sha256(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Served:
    """A file of a repository; all are served as large files, named by their sha256."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def sha256(self) -> str:
        stat = self.path.stat()
        return _sha256(self.path, stat.st_mtime_ns, stat.st_size)


@dataclass
class Content:
    """What is served to whom. token: needed everywhere if set; gated: repositories that need one
    that starts with hf_."""

    repositories: dict[str, dict[str, Served]]
    token: str | None = None
    gated: frozenset[str] = frozenset()
    faults: Faults = field(default_factory=Faults)
    counters: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def commit(self, repository: str) -> str:
        """40 hex digits that depend on the repository's files alone."""
        listing = {name: file.sha256 for name, file in self.repositories[repository].items()}
        return hashlib.sha1(json.dumps(listing, sort_keys=True).encode()).hexdigest()

    def count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self.counters[what] = self.counters.get(what, 0) + by

    def stats(self, *, reset: bool = False) -> dict[str, int]:
        with self._lock:
            found = dict(self.counters)
            if reset:
                self.counters.clear()
        return found
