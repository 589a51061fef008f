"""The site's API key on a host: which one it is, without saying it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import API_KEY, KEY_CREDENTIAL, LIVE_UNIT

OWNER, MODE = "root:root", "600"
NOTHING = hashlib.sha256(b"").hexdigest()
_TRIMMED = "sed -n '1{s/^[[:space:]]*//;s/[[:space:]]*$//;p;q}'"
# The key as a program gets it; it goes through pipes, never through an argument.
FIRST_LINE = f"{_TRIMMED} {API_KEY} 2>/dev/null | tr -d '\\n'"


@dataclass(frozen=True)
class KeyState:
    """digest: SHA-256 of the key, hex; None where there is no file, or nothing in it."""

    digest: str | None = None
    owner: str = ""
    mode: str = ""

    @property
    def private(self) -> bool:
        """Whether nobody but root can read it."""
        return (self.owner, self.mode) == (OWNER, MODE)


class ApiKey(FactBase[KeyState]):
    """Asked as root: nobody else can read the file. The host makes the digest, so that the key
    passes through no fact, which pyinfra prints."""

    @staticmethod
    def default() -> KeyState:
        return KeyState()

    def command(self) -> str:
        return (
            f"if [ -f {API_KEY} ]; then stat -L -c '%U:%G %a' {API_KEY}; "
            f"[ -r {API_KEY} ] && {FIRST_LINE} | sha256sum | cut -d ' ' -f 1; "
            f"elif [ -e {API_KEY} ]; then echo no file; fi; true"
        )

    def process(self, output: list[str]) -> KeyState:
        if not output:
            return KeyState()
        if output == ["no file"]:
            raise FactProcessError(f"{API_KEY} is no file; remove what stands there")
        try:
            stat, digest = output
            owner, mode = stat.split()
        except ValueError:
            # Without root there is only one, which must not look like a host without a key.
            raise FactProcessError(
                f"two lines expected about the API key, got {output!r}"
            ) from None
        return KeyState(None if digest == NOTHING else digest, owner, mode)


class RunningKey(FactBase[str | None]):
    """The digest of the key that the live server was started with; None where it has none. systemd
    copied it when it started the unit, so that the file may hold another one by now."""

    @staticmethod
    def default() -> str | None:
        return None

    def command(self) -> str:
        return (
            f"pid=$(systemctl show {LIVE_UNIT} -p MainPID --value); "
            f'copy="/proc/$pid/root/run/credentials/{LIVE_UNIT}/{KEY_CREDENTIAL}"; '
            f'[ "${{pid:-0}}" != 0 ] && [ -r "$copy" ] && {_TRIMMED} "$copy" | tr -d "\\n" | '
            "sha256sum | cut -d ' ' -f 1; true"
        )

    def process(self, output: list[str]) -> str | None:
        return None if output in ([], [NOTHING]) else output[0]
