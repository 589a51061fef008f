"""The shared libraries of a CUDA toolkit that a release of llama.cpp is linked with."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

NAMES = ("libcudart", "libcublas", "libcublasLt")


class CudaLibraries(FactBase[bool]):
    """Whether all of them lie in a toolkit's folder `home`, of whatever version."""

    @staticmethod
    def default() -> bool:
        return False

    def command(self, home: str) -> str:
        folder = shlex.quote(f"{home}/lib")
        files = " ".join(f"{name}.so.[0-9]*" for name in NAMES)
        return f"cd {folder} 2>/dev/null && ls {files} >/dev/null 2>&1 && echo yes; true"

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]
