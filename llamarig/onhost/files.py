"""Files that are whole or not there, whatever happens in between."""

from __future__ import annotations

import json
import os
from typing import Any


def sync_folder(path: str) -> None:
    """Make what happened to the name `path` in its folder survive a power cut."""
    handle = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: str, content: Any) -> None:
    """Replace `path` by this content; a reader sees the old or the new, also after a power cut."""
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path)


def read_json(path: str) -> dict[str, Any]:
    """The content of a JSON file; all that llamarig writes are objects.

    Raises:
        OSError: not readable.
        ValueError: no JSON object.
    """
    with open(path, encoding="utf-8") as file:
        try:
            found = json.load(file)
        except RecursionError:
            raise ValueError(f"{path}: nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: no JSON object")
    return found


def replace_link(path: str, target: str) -> None:
    """Make `path` a symbolic link to `target` in one step."""
    temporary = f"{path}.{os.getpid()}.tmp"
    os.symlink(target, temporary)
    os.replace(temporary, path)
    sync_folder(path)
