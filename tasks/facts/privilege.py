"""Who we are on a host and whether sudo lets us become root."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class PrivilegeState:
    """user: the login name; sudo: `works`, `asks` (for a password) or `missing`."""

    user: str
    root: bool
    sudo: str


class Privilege(FactBase[PrivilegeState | None]):
    """Asked without sudo, before anything that needs it."""

    def command(self) -> str:
        return (
            "id -un; id -u; if ! command -v sudo >/dev/null; then echo missing; "
            "elif sudo -n true 2>/dev/null; then echo works; else echo asks; fi"
        )

    def process(self, output: list[str]) -> PrivilegeState:
        if len(output) != 3:
            raise FactProcessError(f"three lines expected about privileges, got {output!r}")
        return PrivilegeState(output[0], output[1] == "0", output[2])
