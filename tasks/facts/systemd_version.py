"""Which systemd a host has: older ones don't know every directive."""

from __future__ import annotations

import re

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


class SystemdVersion(FactBase[int]):
    """The number alone: 252 of `systemd 252 (252.39-1~deb12u1)`."""

    def command(self) -> str:
        return "systemctl --version | head -1"

    def process(self, output: list[str]) -> int:
        found = re.match(r"systemd (\d+)\b", output[0]) if output else None
        if found is None:
            raise FactProcessError(f"systemctl --version said {output!r}")
        return int(found[1])
