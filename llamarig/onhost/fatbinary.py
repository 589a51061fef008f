"""The architectures that a CUDA library holds code for.

cuobjdump knows best, if it is of the toolkit that made the library: an older one shows wrong
architectures for a newer library (seen: 11.8's for one of 13.0). PyPI's toolkit has none; then the
headers of the fat binaries are read, which stand uncompressed before what they describe.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import subprocess
from dataclasses import dataclass

# A fat binary: magic, version, size of this header, size of what follows.
_HEADER = struct.Struct("<IHHQ")
_MAGIC = struct.pack("<IHH", 0xBA55ED50, 1, 16)
# An entry: kind, version, size of this header, size of its data; 28 bytes in, the architecture.
_ENTRY = struct.Struct("<HHIQ")
_ARCHITECTURE = struct.Struct("<I")
_ARCHITECTURE_AT = 28
_PTX, _MACHINE_CODE = 1, 2
SECONDS = 60


@dataclass(frozen=True)
class Architectures:
    """Compute capabilities without their dot. machine_code: what cards run as it is; ptx: what
    the driver can compile for later cards; read_with: how that was found out."""

    machine_code: list[int]
    ptx: list[int]
    read_with: str


def architectures(library: str, cuda_home: str) -> Architectures:
    """What a library holds.

    Raises:
        OSError: the library can't be read.
    """
    tool = os.path.join(cuda_home, "bin", "cuobjdump")
    if os.access(tool, os.X_OK):
        code, ptx = _listed(tool, "--list-elf", library), _listed(tool, "--list-ptx", library)
        if code or ptx:
            return Architectures(code, ptx, "cuobjdump")
    with open(library, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return Architectures(*_from_headers(data), "fat binary headers")


def _listed(tool: str, option: str, library: str) -> list[int]:
    """cuobjdump prints `ELF file    1: libggml-cuda.1.sm_89.cubin`, or `… .sm_89.ptx`."""
    try:
        done = subprocess.run(
            [tool, option, library], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    return sorted({int(found) for found in re.findall(r"\.sm_(\d+)[a-z]?\.", done.stdout)})


def _from_headers(data: mmap.mmap) -> tuple[list[int], list[int]]:
    found: dict[int, set[int]] = {_MACHINE_CODE: set(), _PTX: set()}
    place = data.find(_MAGIC)
    while place >= 0:
        end = _walk(data, place, found)
        place = data.find(_MAGIC, max(end, place + 1))
    return sorted(found[_MACHINE_CODE]), sorted(found[_PTX])


def _walk(data: mmap.mmap, place: int, found: dict[int, set[int]]) -> int:
    """Note the entries of the fat binary at `place`; returns where the sound part of it ends."""
    if place + _HEADER.size > len(data):
        return place
    *_, size = _HEADER.unpack_from(data, place)
    place += _HEADER.size
    end = place + size
    if end > len(data):
        return place  # the magic number by chance
    while place + _ARCHITECTURE_AT + _ARCHITECTURE.size <= end:
        kind, _, header, length = _ENTRY.unpack_from(data, place)
        if header < _ARCHITECTURE_AT + _ARCHITECTURE.size or place + header + length > end:
            break
        if kind in found:
            found[kind].add(_ARCHITECTURE.unpack_from(data, place + _ARCHITECTURE_AT)[0])
        place += header + length
    return place
