"""Folders: which are missing."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pyinfra.api.facts import FactBase

_LOOK = """
for path in "$@"; do
    while [ ! -e "$path" ] && [ ! -L "$path" ]; do
        printf '%s\\n' "$path"
        path=$(dirname "$path")
    done
done
"""


class MissingFolders(FactBase[list[str]]):
    """Those of `paths`, and of the folders above them, that are not there; each once."""

    @staticmethod
    def default() -> list[str]:
        return []

    def command(self, paths: Sequence[str]) -> str:
        return shlex.join(["sh", "-c", _LOOK, "sh", *paths])

    def process(self, output: list[str]) -> list[str]:
        return sorted({line for line in output if line.startswith("/")})
