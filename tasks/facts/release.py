"""The releases of llama.cpp that a host has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import RELEASES

HELP_BYTES = 1_000_000


@dataclass(frozen=True)
class ReleaseState:
    """machine_code: the compute capabilities (89) that a CUDA release holds code for, empty for
    other backends. document: all of release.json."""

    id: str
    build_number: int
    backend: str
    machine_code: tuple[int, ...]
    document: dict[str, Any]


class Release(FactBase[ReleaseState | None]):
    """release.json of a finished release, or None."""

    def command(self, build_id: str) -> str:
        return f"cat {RELEASES}/{build_id}/release.json 2>/dev/null; true"

    def process(self, output: list[str]) -> ReleaseState:
        try:
            found: dict[str, Any] = json.loads("\n".join(output))
            return ReleaseState(
                id=found["id"],
                build_number=found["build_number"],
                # Releases made before this was recorded were all for the CPU.
                backend=found.get("backend", "cpu"),
                machine_code=tuple((found.get("cuda") or {}).get("machine_code", ())),
                document=found,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FactProcessError(f"release.json can't be read: {error!r}") from None


class ReleaseHelp(FactBase[str]):
    """What the release's own llama-server said to `--help` when it was installed."""

    @staticmethod
    def default() -> str:
        return ""

    def command(self, build_id: str) -> str:
        return f"head -c {HELP_BYTES} {RELEASES}/{build_id}/help.txt 2>/dev/null; true"

    def process(self, output: list[str]) -> str:
        return "\n".join(output)
