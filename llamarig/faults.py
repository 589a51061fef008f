"""A fault in a host's settings, as one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

_LONGEST = 80
# repr() refuses numbers of more than 4300 digits.
_MOST_BITS = 1024
# A key of this name holds a secret, or may hold one by mistake.
_SECRET = re.compile(r"password|passwd|passphrase|secret|token(?!s\b)|key", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one key of one host (or of all of them).

    `found` is None for a key that nobody knows; `nearest` is then the known key most like it.
    """

    host: str
    key: str
    found: str | None
    allowed: str | None
    nearest: str | None = None

    def line(self) -> str:
        """The fault as the user reads it."""
        key = self.key if self.key.isprintable() else repr(self.key)
        if self.found is not None:
            return f"{self.host}: {key}: found {self.found}, allowed: {self.allowed}"
        if self.nearest is not None:
            return f"{self.host}: {key}: unknown key, nearest known: {self.nearest}"
        return f"{self.host}: {key}: unknown key (a key of your own begins with site_)"


def nearest(key: str, known: Iterable[str]) -> str | None:
    """The known key most like this one, None when none is like it."""
    names = list(known)
    close = get_close_matches(key.lower(), names, n=1, cutoff=0.6)
    if close:
        return close[0]
    inside = [name for name in names if len(key) >= 4 and key.lower() in name]
    return inside[0] if len(inside) == 1 else None


def shown(key: str, value: object) -> str:
    """A value as a fault may print it: short, on one line, and never a secret."""
    if _SECRET.search(key):
        return "a value that is not shown"
    if key == "extra_args" or isinstance(value, (list, tuple, dict, set)):
        # What is inside may be a flag that carries a key.
        return f"a value of type {type(value).__name__}"
    if not isinstance(value, (str, int, float, type(None))):
        return f"a value of type {type(value).__name__}"
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a whole number of hundreds of digits"
    text = re.sub(r"(://)[^/@]*@", r"\1…@", repr(value))
    text = re.sub(r"(://[^?]*\?).*", r"\1…'", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def collapse(faults: Sequence[Fault], hosts: Sequence[str]) -> list[Fault]:
    """The same fault on every one of several hosts becomes one fault of all of them."""
    if len(hosts) < 2:
        return list(faults)
    holders: dict[Fault, set[str]] = {}
    for fault in faults:
        holders.setdefault(replace(fault, host=""), set()).add(fault.host)
    everyone = {fault for fault, names in holders.items() if names == set(hosts)}
    collapsed: list[Fault] = []
    for fault in faults:
        common = replace(fault, host="")
        if common in everyone:
            everyone.discard(common)
            collapsed.append(replace(fault, host=f"all {len(hosts)} hosts"))
        elif holders[common] != set(hosts):
            collapsed.append(fault)
    return collapsed
