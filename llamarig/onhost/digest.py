"""sha256 of large files.

hashlib on one processor with SHA instructions: 1,730 to 1,790 MB/s from memory, `openssl dgst`
1,350 to 1,630, `sha256sum` of coreutils 9.1 470 to 510, so nothing else is started for it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from typing import Any

CHUNK = 4 * 2**20
PROGRESS_SECONDS = 1.0


def progress(done: int, total: int) -> None:
    """The line from which the job takes its progress, in bytes."""
    print(f"[{done}/{total}]", flush=True)


class Seldom:
    """Prints progress at most once a second."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._said >= PROGRESS_SECONDS:
            self._said = time.monotonic()
            progress(done, total)


def sha256(path: str) -> str:
    """64 hex digits over all bytes; prints `[bytes/total]` at most once a second.

    Raises:
        OSError: not readable.
    """
    with open(path, "rb", buffering=0) as file:
        return of(file, Seldom())


def of(file: Any, tell: Callable[[int, int], None]) -> str:
    """64 hex digits over what is left of an open file; tell(done, total), in bytes, is called for
    every 4 MiB."""
    found, buffer = hashlib.sha256(), bytearray(CHUNK)
    view, done = memoryview(buffer), 0
    total = os.fstat(file.fileno()).st_size
    while count := file.readinto(buffer):
        found.update(view[:count])
        done += count
        tell(done, total)
    return found.hexdigest()


def sha256_on_disk(path: str) -> str:
    """As `sha256`, of what the disk holds: written out first and dropped from memory, so that it
    is read back."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
    return sha256(path)
