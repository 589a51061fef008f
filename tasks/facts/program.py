"""A program at a path on a host: whether it runs and which version it says it is."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class ProgramState:
    """version: the first dotted numbers of what it printed; text: its first line."""

    runs: bool = False
    version: tuple[int, ...] = ()
    text: str = ""


class Program(FactBase[ProgramState]):
    """`PATH --version`, bounded to 20 s and 4 KiB, with stdin closed."""

    @staticmethod
    def default() -> ProgramState:
        return ProgramState()

    def command(self, path: str) -> str:
        quoted = shlex.quote(path)
        bounded = f"timeout 20 {quoted} --version </dev/null"
        return f"{bounded} >/dev/null 2>&1; echo $?; {bounded} 2>&1 | head -c 4096"

    def process(self, output: list[str]) -> ProgramState:
        text = "\n".join(output[1:])
        found = re.search(r"\d+(?:\.\d+)+", text)
        version = tuple(int(part) for part in found[0].split(".")) if found else ()
        first = output[1] if len(output) > 1 else ""
        return ProgramState(output[0] == "0", version, first)
