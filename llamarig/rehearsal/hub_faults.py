"""Faults that the stand-in hub shows on request, each as often as it was told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

# times: how often (-1: always); the rest are the faults themselves, with their values. Those that
# are set together come together.
FAULTS = {
    "drop": "close the connection after this many bytes of a response",
    "reset": "the same with a TCP reset",
    "drop_at": "close the connection at this place of the file; later responses are whole",
    "reset_at": "the same with a TCP reset",
    "status": "answer with this HTTP status",
    "retry_after": "with status: say to come back after this many seconds",
    "slow": "send at this many bytes a second, whatever `times` says",
    "stall": "stop for this many seconds after the first chunk",
    "truncated": "send only this many bytes and say that this is all",
    "corrupt": "flip one bit of the byte at this place",
    "norange": "ignore Range",
    "downloads": "1: only for a GET up to the file's end, not for a look at its header",
}
PLACES = ("drop_at", "reset_at")


@dataclass(frozen=True)
class Asked:
    """A request for a file: whether its bytes are wanted, and which (counted from 0) of size."""

    get: bool
    first: int
    last: int
    size: int


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
        values = {name: int(wanted[name]) for name in wanted if name in FAULTS}
        times = int(wanted.get("times", "-1"))
        with self._lock:
            self.values, self.times = values, times

    def take(self, asked: Asked) -> dict[str, int]:
        """The faults for one request; counts down only for requests that get them."""
        with self._lock:
            always = {name: self.values[name] for name in self.values if name == "slow"}
            if self.times == 0 or not self._concerns(asked):
                return always
            if self.times > 0:
                self.times -= 1
            return dict(self.values)

    def _concerns(self, asked: Asked) -> bool:
        if self.values.get("downloads") and not (asked.get and asked.last == asked.size - 1):
            return False
        places = [self.values[name] for name in PLACES if name in self.values]
        return all(asked.get and asked.first < place <= asked.last for place in places)


def cut(faults: dict[str, int], first: int) -> int | None:
    """After how many bytes a response that starts at `first` is cut; None: never."""
    for name in ("drop", "reset"):
        if name in faults:
            return faults[name]
    for name in PLACES:
        if name in faults:
            return max(0, faults[name] - first)
    return None
