"""The releases of llama.cpp that a host has."""

from __future__ import annotations

import json
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import RELEASES


class Release(FactBase[dict[str, Any] | None]):
    """release.json of a finished release (build id, version, source), or None."""

    def command(self, build_id: str) -> str:
        return f"cat {RELEASES}/{build_id}/release.json 2>/dev/null; true"

    def process(self, output: list[str]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads("\n".join(output))
        except ValueError as error:
            raise FactProcessError(f"release.json is not JSON: {error}") from None
        return found
