"""sha256 of large files on this machine, each hashed once.

What was found is kept in ~/.cache/llamarig/hashes.json under the file's path, with its size, mtime
and inode: a file that was not touched is not read again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llamarig.onhost import digest

# The stamps of this many files are kept, the latest ones.
MOST = 100
_SHA256 = re.compile("[0-9a-f]{64}")

Progress = Callable[[int, int], None]


def stamps_file() -> Path:
    """Where stamps are kept for the user who runs this."""
    return Path.home() / ".cache" / "llamarig" / "hashes.json"


def sha256(path: Path, progress: Progress, stamps: Path | None = None) -> str:
    """64 hex digits over all bytes; `progress(done, total)` in bytes is called for every 4 MiB.

    Raises:
        OSError: the file is not readable.
    """
    stamps = stamps or stamps_file()
    key, state = str(path.absolute()), _state(os.stat(path))
    known = _read(stamps).get(key)
    if isinstance(known, dict) and known.get("state") == state:
        kept = known.get("sha256")
        if isinstance(kept, str) and _SHA256.fullmatch(kept):
            return kept
    with path.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        found = digest.of(file, progress)
        after = os.fstat(file.fileno())
    if _state(before) == _state(after):
        _keep(stamps, key, {"state": _state(after), "sha256": found})
    return found


def _state(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _read(stamps: Path) -> dict[str, Any]:
    """The stamps; nothing where there are none that can be read: then a file is hashed again."""
    try:
        found = json.loads(stamps.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(stamps: Path, key: str, entry: dict[str, Any]) -> None:
    """Write a stamp down. A home that can't be written costs another hash, no more."""
    known = _read(stamps)
    known.pop(key, None)
    latest = dict([*known.items(), (key, entry)][-MOST:])
    temporary = stamps.with_name(f"{stamps.name}.{os.getpid()}.tmp")
    try:
        stamps.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(latest, indent=2) + "\n", encoding="utf-8")
        temporary.replace(stamps)
    except OSError:
        temporary.unlink(missing_ok=True)
