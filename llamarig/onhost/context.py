"""What a figure needs to be read: the machine that it was measured on, and its card."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

from llamarig.onhost import nvidia_smi

# A proof counts for the same card under the same driver and power limit, and no other.
CARD_KEYS = ("name", "uuid", "driver", "power_limit_w")


def _first_line(path: str, prefix: str = "") -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return next((line.strip() for line in file if line.startswith(prefix)), "")
    except OSError:
        return ""


def machine() -> dict[str, Any]:
    """Processor, cores, kernel, frequency governor, and when (epoch seconds)."""
    model = _first_line("/proc/cpuinfo", "model name")
    return {
        "cpu": model.split(":", 1)[1].strip() if ":" in model else "",
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "governor": _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "measured": time.time(),
    }


def look(config: dict[str, Any]) -> dict[str, Any]:
    """The machine, the card as it is now (None without one), and what is measured.

    config: backend, gpu, measured_with (release, model, recipe, prompts).
    """
    card = nvidia_smi.card(config.get("gpu")) if config["backend"] == "cuda" else None
    return {**machine(), "card": card, **config["measured_with"]}


def same_card(then: dict[str, Any] | None, now: dict[str, Any] | None) -> bool:
    """Whether a measurement of then still tells of what is there now; both may be None."""
    then, now = then or {}, now or {}
    return all(then.get(key) == now.get(key) for key in CARD_KEYS)
