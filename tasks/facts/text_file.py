"""What a small text file on a host says."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase


class TextFile(FactBase[str | None]):
    """The first 64 KiB, without the last line's end; None where there is no file, or nothing."""

    def command(self, path: str) -> str:
        return f"head -c 65536 {shlex.quote(path)} 2>/dev/null; true"

    def process(self, output: list[str]) -> str | None:
        return "\n".join(output).rstrip("\n") or None
