"""The shared libraries of a CUDA toolkit that a release of llama.cpp is linked with."""

from __future__ import annotations

import json
import shlex

from pyinfra.api.facts import FactBase

from llamarig.cuda.table import Version, parse
from llamarig.paths import CUDA, CURRENT

# `has HOME`: whether all of them lie in a toolkit's folder, of whatever version. NVIDIA's packages,
# its wheels and a distribution have places of their own.
HAS = r"""
has() {
    for each in lib64 lib targets/x86_64-linux/lib lib/x86_64-linux-gnu; do
        (cd "$1/$each" 2>/dev/null && ls libcudart.so.[0-9]* libcublas.so.[0-9]* \
            libcublasLt.so.[0-9]* >/dev/null 2>&1) && return 0
    done
    return 1
}
"""
HOMES = f"/usr/local/cuda-* {CUDA}/*/nvidia/cu[0-9]* /usr"
MARK = "=== libraries"


class CudaLibraries(FactBase[bool]):
    """Whether all of them lie in the toolkit's folder `home`."""

    @staticmethod
    def default() -> bool:
        return False

    def command(self, home: str) -> str:
        return f"sh -c {shlex.quote(f'{HAS}has {shlex.quote(home)} && echo yes; true')}"

    def process(self, output: list[str]) -> bool:
        return output == ["yes"]


class LiveToolkit(FactBase[tuple[Version, str] | None]):
    """Version and folder of the toolkit that the live release was built with, if its libraries lie
    there. None too where the release's manifest can't be read: what stages and proves says so."""

    def command(self) -> str:
        script = (
            f"{HAS}cat {CURRENT}/release/release.json 2>/dev/null; echo; echo '{MARK}'; "
            f'for home in {HOMES}; do has "$home" && echo "$home"; done; true'
        )
        return f"sh -c {shlex.quote(script)}"

    def process(self, output: list[str]) -> tuple[Version, str] | None:
        at = output.index(MARK) if MARK in output else len(output)
        try:
            cuda = json.loads("\n".join(output[:at]))["cuda"]
            found = parse(cuda["version"]), str(cuda["home"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return found if found[1] in output[at:] else None
