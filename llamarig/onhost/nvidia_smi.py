"""Who holds memory on NVIDIA's cards: a second witness beside llama-server's own log."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

SECONDS = 20
QUERY = ("--query-compute-apps=gpu_uuid,pid,used_gpu_memory,process_name",
             "--format=csv,noheader,nounits")  # fmt: skip


@dataclass(frozen=True)
class Card:
    """What nvidia-smi says of the cards a server uses. own_mib: None where it doesn't list the
    server or its memory (in containers it counts processes otherwise)."""

    own_mib: float | None
    others: list[dict[str, Any]]


def parse(text: str, pid: int) -> Card:
    """nvidia-smi's answer to QUERY, a process a line; others: on the cards of `pid` alone."""
    rows = [[word.strip() for word in line.split(",", 3)] for line in text.splitlines()]
    rows = [row for row in rows if len(row) == 4 and row[1].isdigit()]
    used = {row[0] for row in rows if int(row[1]) == pid}
    own = [_mib(row[2]) for row in rows if int(row[1]) == pid]
    counted = [mib for mib in own if mib is not None]
    others = [
        {"pid": int(row[1]), "name": row[3][:200], "mib": _mib(row[2])}
        for row in rows
        if int(row[1]) != pid and (row[0] in used or not used)
    ]
    return Card(sum(counted) if counted else None, others)


def _mib(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # [N/A] where the driver does not count
        return None


def ask(pid: int) -> Card | None:
    """What nvidia-smi says of this process; None where it is not there or does not answer."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/bin", "/usr/lib/wsl/lib"])
    program = shutil.which("nvidia-smi", path=path)
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *QUERY], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(done.stdout[:65536], pid) if done.returncode == 0 else None
