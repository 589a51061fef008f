"""What the stand-in hub serves, to whom, and how often it was asked."""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from llamarig.rehearsal.hub_faults import Faults

INVALID = "Invalid credentials in Authorization header"


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


Files = dict[str, Served]


@dataclass(frozen=True)
class Refusal:
    """Why the hub shows nothing: HTTP status, X-Error-Code (may be empty), X-Error-Message."""

    status: int
    code: str
    message: str


@dataclass
class Content:
    """What is served to whom.

    token: needed everywhere if set. gated, private: repositories that need one with access.
    tokens: the valid ones, each with the repositories that it has access to; None: all that
    start with hf_ are valid and have access. redirect_to: another name of this server's address;
    file bodies come from there, by signed addresses as of the real hub's content network.
    """

    repositories: dict[str, Files]
    token: str | None = None
    gated: frozenset[str] = frozenset()
    faults: Faults = field(default_factory=Faults)
    counters: dict[str, int] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    tokens: dict[str, frozenset[str]] | None = None
    redirect_to: str | None = None
    _history: dict[tuple[str, str], Files] = field(default_factory=dict)
    _secret: bytes = field(default_factory=lambda: os.urandom(32))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def commit(self, repository: str) -> str:
        """What main names: 40 hex digits that depend on the repository's files alone."""
        listing = {name: file.sha256 for name, file in self.repositories[repository].items()}
        return hashlib.sha1(json.dumps(listing, sort_keys=True).encode()).hexdigest()

    def move(self, repository: str, name: str, path: Path) -> str:
        """Let main name a new commit, in which the file `name` is the one at `path`; the commit.
        The commits before stay served by their hashes."""
        before = self.repositories[repository]
        self._history[repository, self.commit(repository)] = before
        self.repositories[repository] = {**before, name: Served(path)}
        return self.commit(repository)

    def at(self, repository: str, revision: str) -> tuple[str, Files] | None:
        """(commit, files) of main or of a commit that main names or named; None: no such one."""
        now = self.commit(repository)
        if revision in ("main", now):
            return now, self.repositories[repository]
        past = self._history.get((repository, revision))
        return None if past is None else (revision, past)

    def invalid(self, token: str) -> bool:
        """Whether the hub refuses the token (empty: none was given) whatever is asked for."""
        if self.token:
            return token != self.token
        return bool(token) and self.tokens is not None and token not in self.tokens

    def refusal(self, repository: str, token: str) -> Refusal | None:
        """Why a token that is not invalid, or none (empty), does not open the repository."""
        if self.tokens is None:
            access = token.startswith("hf_")
        else:
            access = repository in self.tokens.get(token, frozenset())
        if repository in self.private and not access:
            return Refusal(404 if token else 401, "RepoNotFound", "Repository not found")
        if repository in self.gated and not access:
            message = f"Access to model {repository} is restricted"
            return Refusal(403 if token else 401, "GatedRepo", message)
        return None

    def signature(self, path: str) -> str:
        """What makes an address of the content network valid without a token."""
        return hmac.new(self._secret, path.encode(), "sha256").hexdigest()

    def count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self.counters[what] = self.counters.get(what, 0) + by

    def stats(self, *, reset: bool = False) -> dict[str, int]:
        with self._lock:
            found = dict(self.counters)
            if reset:
                self.counters.clear()
        return found
