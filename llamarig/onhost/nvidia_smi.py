"""NVIDIA's cards as nvidia-smi tells: who holds their memory (a second witness beside
llama-server's own log), how they are set, and what holds their clocks back."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

SECONDS = 20
FORMAT = "--format=csv,noheader,nounits"
QUERY = ("--query-compute-apps=gpu_uuid,pid,used_gpu_memory,process_name", FORMAT)
CARD_KEYS = (
    "name", "uuid", "driver", "power_limit_w", "power_default_w", "clock_sm_mhz", "clock_mem_mhz",
    "temperature_c", "memory_mib",
)  # fmt: skip
CARD_QUERY = (
    "--query-gpu=name,uuid,driver_version,power.limit,power.default_limit,clocks.sm,clocks.mem,"
    "temperature.gpu,memory.total"
)


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


def program() -> str | None:
    """The path of nvidia-smi; None where it is not there."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/bin", "/usr/lib/wsl/lib"])
    return shutil.which("nvidia-smi", path=path)


def _run(*arguments: str) -> str | None:
    """What it prints; None where it is not there, fails or does not answer."""
    found = program()
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:65536] if done.returncode == 0 else None


def ask(pid: int) -> Card | None:
    """What nvidia-smi says of this process; None where it is not there or does not answer."""
    printed = _run(*QUERY)
    return None if printed is None else parse(printed, pid)


def _which(gpu: str | int | None) -> list[str]:
    return [] if gpu is None else [f"--id={gpu}"]


def parse_card(text: str) -> dict[str, Any] | None:
    """nvidia-smi's answer to CARD_QUERY, of the first card; None where it is no such line.

    power_limit_w, power_default_w: watts; clock_sm_mhz, clock_mem_mhz: now; temperature_c.
    Figures are None where the driver does not tell ([N/A]).
    """
    words = [word.strip() for word in (text.splitlines() or [""])[0].split(",")]
    if len(words) != len(CARD_KEYS):
        return None
    texts = ("name", "uuid", "driver")
    found = zip(CARD_KEYS, words, strict=True)
    return {key: word[:200] if key in texts else _mib(word) for key, word in found}


def card(gpu: str | int | None) -> dict[str, Any] | None:
    """The card as it is set now; None where nvidia-smi does not tell. gpu: index, UUID or None,
    the only one."""
    printed = _run(CARD_QUERY, FORMAT, *_which(gpu))
    return None if printed is None else parse_card(printed)


def throttle_mask(gpu: str | int | None) -> int | None:
    """The reasons that hold its clocks back now, NVML's bits; None where nothing tells.

    Drivers before 535 know the older name alone, later ones may drop it.
    """
    for name in ("clocks_event_reasons.active", "clocks_throttle_reasons.active"):
        printed = _run(f"--query-gpu={name}", FORMAT, *_which(gpu))
        try:
            return int((printed or "").split()[0], 16)
        except (IndexError, ValueError):
            continue
    return None
