"""A walk over a GGUF header's bytes, bounded whatever they say."""

from __future__ import annotations

import mmap
import struct
from typing import Any

STRING, ARRAY = 8, 9
SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
# Strings of all arrays together: a vocabulary of 262,144 with its merges has 800,000. Text: of a
# key or a value that we keep.
MOST_STRINGS = 4_000_000
MOST_TEXT = 256
# A string takes its length at the least, in bytes.
LEAST_STRING = 8
DAMAGED = "the header is damaged"


class Incomplete(ValueError):  # noqa: N818 - the file may be sound
    """The header goes on behind the bytes that are there; `needs`: how many it has at least."""

    def __init__(self, needs: int) -> None:
        super().__init__("the header is cut off; the file is incomplete")
        self.needs = needs


class Reader:
    """Walks over the mapped file; every read past its end is Incomplete."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data, self.at, self.size = data, 0, len(data)
        self.strings = 0

    def need(self, count: int) -> None:
        if self.at + count > self.size:
            raise Incomplete(self.at + count)

    def skip(self, count: int) -> None:
        self.need(count)
        self.at += count

    def number(self, form: str) -> Any:
        start = self.at
        self.skip(struct.calcsize(form))
        return struct.unpack_from(f"<{form}", self.data, start)[0]

    def text(self) -> bytes:
        """A string's first bytes, as many as a name has; the rest is walked over."""
        length = self.number("Q")
        start = self.at
        self.skip(length)
        return bytes(self.data[start : min(self.at, start + MOST_TEXT)])

    def _skip_array(self) -> None:
        kind, count = self.number("I"), self.number("Q")
        if kind in SCALARS:
            self.skip(count * struct.calcsize(SCALARS[kind]))
        elif kind == STRING:
            self.need(count * LEAST_STRING)
            self.strings += count
            if self.strings > MOST_STRINGS:
                raise ValueError(f"arrays of more than {MOST_STRINGS} strings; {DAMAGED}")
            for _ in range(count):
                self.skip(self.number("Q"))
        else:
            # llama.cpp reads no array of arrays either.
            raise ValueError(f"unknown array type {kind}; {DAMAGED}")

    def skip_value(self, kind: int) -> None:
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            self._skip_array()
        elif kind in SCALARS:
            self.skip(struct.calcsize(SCALARS[kind]))
        else:
            raise ValueError(f"unknown value type {kind}; {DAMAGED}")
