"""The host's log of measurements: a line of JSON for each, newest last; root writes, all may read.

It is replaced as a whole, so that a power cut leaves the old log or the new one. What is broken in
it (a full disk, a hand) stays a line of its own and costs no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from typing import Any

from llamarig.onhost.files import sync_folder

MOST_LINES = 500
# A record without its samples has about 3 KiB.
MOST_BYTES = 65535


def append(path: str, record: dict[str, Any]) -> None:
    """Add a finished measurement, without its samples. A log that can't be written is said, and
    no more: the measurement itself is over."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with _alone(path):
            _replace(path, [*_lines(path), _line(record)][-MOST_LINES:])
    except OSError as error:
        print(f"{path}: {error.strerror}; this measurement is not in it", flush=True)


def read(path: str) -> list[dict[str, Any]]:
    """The records, oldest first; broken lines are left out, and a missing log is an empty one."""
    found = []
    for line in _lines(path):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def _line(record: dict[str, Any]) -> bytes:
    """One line; where it would be too long the largest values go, and `cut` names them."""
    kept = {key: value for key, value in record.items() if key != "samples"}
    cut: list[str] = []
    while True:
        line = json.dumps({**kept, "cut": sorted(cut)} if cut else kept, sort_keys=True).encode()
        if len(line) <= MOST_BYTES:
            return line
        largest = max(kept, key=lambda key: len(json.dumps(kept[key])))
        del kept[largest]
        cut.append(largest)


def _lines(path: str) -> list[bytes]:
    """Whatever lines there are; a torn last one ends here."""
    try:
        with open(path, "rb") as file:
            return [line for line in file.read().split(b"\n") if line.strip()]
    except FileNotFoundError:
        return []


def _replace(path: str, lines: list[bytes]) -> None:
    temporary = f"{path}.tmp"
    with open(temporary, "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(b"".join(line + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path)


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """A check may end while a job does: one after the other. The folder is what both can lock, as
    the file itself is replaced."""
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
