"""Watches the card while an answer is made: did heat or a fault hold its clocks back?

A card at its power limit is as its owner wants it, so that is context, not a disturbance.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from llamarig.onhost import nvidia_smi

# Bits of nvmlClocksThrottleReasons (NVML's header) that tell of heat or of hardware.
REASONS = {
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
# Often enough to see an answer of a second twice, rarely enough to be no load itself.
PERIOD_SECONDS = 0.5


def reasons(mask: int) -> list[str]:
    """The names of the bits of a mask that disturb a measurement."""
    return [name for bit, name in REASONS.items() if mask & bit]


@contextlib.contextmanager
def throttling(backend: str, gpu: str | int | None) -> Iterator[set[str]]:
    """The reasons seen meanwhile, complete when the context has ended; nothing without a card."""
    found: set[str] = set()
    if backend != "cuda" or not nvidia_smi.program():
        yield found
        return
    over = threading.Event()

    def look() -> None:
        while not over.wait(PERIOD_SECONDS):
            found.update(reasons(nvidia_smi.throttle_mask(gpu) or 0))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join(nvidia_smi.SECONDS)
