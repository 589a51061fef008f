"""The CUDA toolkits that lie on a host, and what each lacks for a build of llama.cpp."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import CUDA

USUAL = f"/usr/local/cuda /usr/local/cuda-* /opt/cuda {CUDA}/*/nvidia/cu[0-9]*"

# nvcc is called by its absolute path alone: what PATH finds may be a shim, or of another toolkit.
# A distribution's toolkit is spread over /usr, in places of its own: little is looked for there,
# and compiling a file tells the rest.
SCRIPT = r"""
exists() { for each in "$@"; do [ -e "$each" ] && return 0; done; return 1; }
look() {
    home=$(readlink -f "$1") nvcc=$home/bin/nvcc missing=
    [ -x "$nvcc" ] && [ ! -d "$nvcc" ] || return 0
    version=$(timeout 10 "$nvcc" --version </dev/null 2>&1 | head -c 4096 |
        sed -n 's/.*release \([0-9][0-9.]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] || missing="$missing nvcc"
    set -- "$1" "$home/lib64" "$home/lib" "$home/targets/x86_64-linux/lib"
    [ "$home" = /usr ] && set -- "$1" /usr/lib/x86_64-linux-gnu
    name=$1; shift
    for header in cuda_runtime.h cublas_v2.h; do
        exists "$home/include/$header" "$home/targets/x86_64-linux/include/$header" ||
            missing="$missing $header"
    done
    for library in libcudart.so libcublas.so; do
        found=; for folder in "$@"; do [ -e "$folder/$library" ] && found=yes; done
        [ -n "$found" ] || missing="$missing $library"
    done
    if [ "$home" != /usr ]; then
        exists "$home/include/crt/host_config.h" \
            "$home/targets/x86_64-linux/include/crt/host_config.h" || missing="$missing crt"
        exists "$home/nvvm/bin/cicc" || missing="$missing cicc"
        exists "$home/lib64/stubs/libcuda.so" "$home/lib/stubs/libcuda.so" \
            "$home/targets/x86_64-linux/lib/stubs/libcuda.so" \
            /usr/lib/x86_64-linux-gnu/libcuda.so || missing="$missing libcuda.so"
    fi
    printf '%s\t%s\t%s\t%s\n' "$name" "$home" "${version:--}" "$missing"
}
for folder in HOME_ USUAL_ /usr; do look "$folder"; done; true
"""


@dataclass(frozen=True)
class Toolkit:
    """home: its folder, links resolved. version: (13, 0); empty where nvcc does not run.

    missing: the files that llama.cpp's build needs and that are not there, so complete is false.
    found_as: every path by which it was found, such as /usr/local/cuda.
    """

    home: str
    version: tuple[int, ...]
    nvcc: str
    complete: bool
    missing: tuple[str, ...]
    found_as: tuple[str, ...] = ()


class CudaToolkits(FactBase[list[Toolkit]]):
    """Those in `home` (if given), in the usual places and the distribution's own; each once."""

    @staticmethod
    def default() -> list[Toolkit]:
        return []

    def command(self, home: str | None = None) -> str:
        script = SCRIPT.replace("USUAL_", USUAL)
        script = script.replace("HOME_", shlex.quote(home) if home else "")
        return f"sh -c {shlex.quote(script)}"

    def process(self, output: list[str]) -> list[Toolkit]:
        found: dict[str, Toolkit] = {}
        for line in filter(str.strip, output):
            parts = line.split("\t")
            if len(parts) != 4 or not re.fullmatch(r"-|\d+(\.\d+)+", parts[2]):
                raise FactProcessError(f"not a line about a CUDA toolkit: {line!r}")
            name, home, version, missing = parts
            known = found.get(home)
            found[home] = Toolkit(
                home=home,
                version=() if version == "-" else tuple(map(int, version.split("."))),
                nvcc=f"{home}/bin/nvcc",
                complete=not missing.split(),
                missing=tuple(missing.split()),
                found_as=tuple(dict.fromkeys((*(known.found_as if known else ()), name))),
            )
        return list(found.values())
