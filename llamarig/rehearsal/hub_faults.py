"""Faults that the stand-in hub shows on request, each as often as it was told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

# times: how often (-1: always); the rest are the faults themselves, with their values.
FAULTS = {
    "drop": "close the connection after this many bytes of a file",
    "reset": "the same with a TCP reset",
    "status": "answer with this HTTP status",
    "slow": "send at this many bytes a second",
    "stall": "stop for this many seconds after the first chunk",
    "truncated": "send only this many bytes and say that this is all",
    "corrupt": "flip one bit of the byte at this place",
    "norange": "ignore Range",
}


@dataclass
class Faults:
    """What is set now; safe to use from many threads."""

    values: dict[str, int] = field(default_factory=dict)
    times: int = -1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, wanted: dict[str, str]) -> None:
        """Replace all faults: names of FAULTS to whole numbers, and `times`.

        Raises:
            ValueError: a name that is no fault, or a value that is no number.
        """
        unknown = set(wanted) - set(FAULTS) - {"times", "clear"}
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        with self._lock:
            self.values = {name: int(wanted[name]) for name in wanted if name in FAULTS}
            self.times = int(wanted.get("times", "-1"))

    def take(self) -> dict[str, int]:
        """The faults for one request; counts down."""
        with self._lock:
            if not self.values or self.times == 0:
                return {}
            if self.times > 0:
                self.times -= 1
            return dict(self.values)
