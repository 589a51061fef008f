"""Ollama on a host: which version, and whether it runs."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

# A running process is looked for in /proc, which also shows a container's.
SCRIPT = """
PATH=$PATH:/usr/local/bin:/snap/bin
if [ "$(systemctl is-active ollama 2>/dev/null)" = active ] ||
    grep -qsx ollama /proc/[0-9]*/comm; then echo active; else echo inactive; fi
command -v ollama >/dev/null && timeout 10 ollama --version </dev/null 2>&1 | head -c 4096
true
"""


@dataclass(frozen=True)
class OllamaState:
    """version: its numbers, empty where it is not installed; active: its unit or a process."""

    version: tuple[int, ...] = ()
    active: bool = False


class Ollama(FactBase[OllamaState]):
    """`ollama --version` gives the running server's version, or the program's own."""

    @staticmethod
    def default() -> OllamaState:
        return OllamaState()

    def command(self) -> str:
        return f"sh -c {shlex.quote(SCRIPT)}"

    def process(self, output: list[str]) -> OllamaState:
        text = "\n".join(output)
        found = re.search(r"ollama version is (\d+(?:\.\d+)+)", text)
        found = found or re.search(r"client version is (\d+(?:\.\d+)+)", text)
        version = tuple(int(part) for part in found[1].split(".")) if found else ()
        return OllamaState(version, "active" in output)
