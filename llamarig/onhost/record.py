"""The record of a verified model file, by which a converged run knows it without reading it."""

from __future__ import annotations

import os
import time
from typing import Any

from llamarig.onhost import gguf_header
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json


def state(stat: os.stat_result) -> dict[str, int]:
    """What changes when somebody touches the file: bytes, mtime in ns, inode."""
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}


def _disk(path: str) -> str:
    """The mount point below which the file lies."""
    folder = os.path.dirname(os.path.realpath(path))
    while not os.path.ismount(folder):
        folder = os.path.dirname(folder)
    return folder


def write(config: dict[str, Any], path: str, stat: os.stat_result, **what: Any) -> None:
    """Record the file at `path`, of which `stat` was taken when it was verified.

    what: repo, file, endpoint, revision (40 hex), sha256 (64 hex), snapshot.

    Raises:
        Stop: it is no GGUF.
    """
    try:
        header = gguf_header.read(path)
    except ValueError as error:
        raise Stop(f"{setting(config)}: {what['file']}: {error}") from None
    os.makedirs(os.path.dirname(config["result"]), exist_ok=True)
    write_json(
        config["result"],
        {
            **what, **state(stat), "path": path, "disk": _disk(path),
            "source": config.get("source") or "hub", "verified": time.time(),
            "architecture": header.architecture, "block_count": header.block_count,
            "nextn_predict_layers": header.nextn_predict_layers,
            "mtp_tensors": header.mtp_tensors,
        },
    )  # fmt: skip


def setting(config: dict[str, Any]) -> str:
    """The setting that names the file."""
    return "model_path" if config.get("source") == "path" else "model_file"


def already(config: dict[str, Any]) -> bool:
    """Whether the record agrees with the file and with what is asked for."""
    try:
        known = read_json(config["result"])
        seen = state(os.stat(known["path"]))
        if any(known[key] != seen[key] for key in seen):
            return False
        if config.get("source") == "path":
            if known["path"] != config["path"]:
                return False
            keys = ["sha256"]
        else:
            keys = ["revision", "sha256", "repo", "file"]
        return all(config.get(key) in (None, known[key]) for key in keys)
    except (OSError, ValueError, KeyError):
        return False
