"""The record of a proof or of a smoke test on a host."""

from __future__ import annotations

import json
import shlex
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


class Proof(FactBase[dict[str, Any] | None]):
    """The JSON at `record` (see llamarig/onhost/proof.py for its keys), or None."""

    def command(self, record: str) -> str:
        return f"cat {shlex.quote(record)} 2>/dev/null; true"

    def process(self, output: list[str]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads("\n".join(output))
        except ValueError as error:
            raise FactProcessError(f"the proof is not JSON: {error}") from None
        return found
