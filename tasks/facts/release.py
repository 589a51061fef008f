"""The releases of llama.cpp that a host has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.cuda.table import Version, parse
from llamarig.paths import CURRENT, RELEASES

HELP_BYTES = 1_000_000


@dataclass(frozen=True)
class ReleaseState:
    """machine_code: the compute capabilities (89) that a CUDA release holds code for, empty for
    other backends. document: all of release.json. toolkit: version and folder of the CUDA toolkit
    that it was built with, None for other backends."""

    id: str
    build_number: int
    backend: str
    machine_code: tuple[int, ...]
    document: dict[str, Any]
    toolkit: tuple[Version, str] | None = None


def _toolkit(cuda: dict[str, Any]) -> tuple[Version, str] | None:
    version, home = cuda.get("version"), cuda.get("home")
    return (parse(version), home) if version and home else None


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
                toolkit=_toolkit(found.get("cuda") or {}),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FactProcessError(f"release.json can't be read: {error!r}") from None


class LiveRelease(Release):
    """That of the live generation, or None."""

    def command(self) -> str:  # type: ignore[override]
        return f"cat {CURRENT}/release/release.json 2>/dev/null; true"


class ReleaseHelp(FactBase[str]):
    """What the release's own llama-server said to `--help` when it was installed."""

    @staticmethod
    def default() -> str:
        return ""

    def command(self, build_id: str) -> str:
        return f"head -c {HELP_BYTES} {RELEASES}/{build_id}/help.txt 2>/dev/null; true"

    def process(self, output: list[str]) -> str:
        return "\n".join(output)
