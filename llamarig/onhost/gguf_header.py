"""A GGUF file's header: what the model says of itself, read in milliseconds.

The gguf package reads every string of the vocabulary into objects (12 s and half a GB on a real
one); here arrays are walked over, and only the numbers we judge by are kept.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import asdict, dataclass
from typing import Any

MAGIC = b"GGUF"
STRING, ARRAY = 8, 9
SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
# No real header has more; beyond it the file is not what it says.
MOST_ENTRIES = 1_000_000


@dataclass(frozen=True)
class Header:
    """architecture, and its counts; mtp_tensors: tensors of the draft heads; sizes in bytes."""

    architecture: str
    name: str
    block_count: int
    nextn_predict_layers: int
    context_length: int
    tensor_count: int
    mtp_tensors: int
    header_bytes: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Reader:
    """Walks over the mapped file; every read past its end is a ValueError."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data, self.at, self.size = data, 0, len(data)

    def skip(self, count: int) -> None:
        if count < 0 or self.at + count > self.size:
            raise ValueError("the header is cut off; the file is incomplete")
        self.at += count

    def number(self, form: str) -> Any:
        start = self.at
        self.skip(struct.calcsize(form))
        return struct.unpack_from(f"<{form}", self.data, start)[0]

    def text(self) -> str:
        length = self.number("Q")
        start = self.at
        self.skip(length)
        return bytes(self.data[start : self.at]).decode(errors="replace")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            return self._array()
        if kind not in SCALARS:
            raise ValueError(f"unknown value type {kind}; the header is damaged")
        return self.number(SCALARS[kind])

    def _array(self) -> None:
        kind, count = self.number("I"), self.number("Q")
        if kind in SCALARS:
            self.skip(count * struct.calcsize(SCALARS[kind]))
            return
        if kind not in (STRING, ARRAY):
            raise ValueError(f"unknown array type {kind}; the header is damaged")
        for _ in range(count):
            if kind == STRING:
                self.skip(self.number("Q"))
            else:
                self._array()


def parse(data: mmap.mmap | bytes) -> Header:
    """Read a header.

    Raises:
        ValueError: no GGUF, a version that is not known, or a damaged or incomplete header.
    """
    if len(data) < 24 or bytes(data[:4]) != MAGIC:
        raise ValueError("not a GGUF file")
    reader = _Reader(data)
    reader.skip(4)
    version, tensors, entries = reader.number("I"), reader.number("Q"), reader.number("Q")
    if version not in (2, 3):
        raise ValueError(f"GGUF version {version} is not known")
    if tensors > MOST_ENTRIES or entries > MOST_ENTRIES:
        raise ValueError("the header's counts are impossible; the file is damaged")
    values: dict[str, Any] = {}
    for _ in range(entries):
        key = reader.text()
        values[key] = reader.value(reader.number("I"))
    mtp = sum(".nextn." in _tensor(reader) for _ in range(tensors))
    kind = str(values.get("general.architecture", ""))
    return Header(
        architecture=kind,
        name=str(values.get("general.name", "")),
        block_count=int(values.get(f"{kind}.block_count", 0)),
        nextn_predict_layers=int(values.get(f"{kind}.nextn_predict_layers", 0)),
        context_length=int(values.get(f"{kind}.context_length", 0)),
        tensor_count=tensors,
        mtp_tensors=mtp,
        header_bytes=reader.at,
    )


def _tensor(reader: _Reader) -> str:
    """One row of the tensor table: its name; dimensions, type and offset are walked over."""
    name = reader.text()
    dimensions = reader.number("I")
    reader.skip(8 * dimensions + 4 + 8)
    return name


def read(path: str) -> Header:
    """The header of the file at `path`.

    Raises:
        OSError: not readable.
        ValueError: as `parse`.
    """
    with open(path, "rb") as file:
        file.seek(0, 2)
        if file.tell() == 0:
            raise ValueError("the file is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return parse(data)
