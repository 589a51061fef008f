"""A GGUF file's header: what the model says of itself, read in milliseconds.

The gguf package reads every string of the vocabulary into objects (12 s and half a GB on a real
one); here arrays are walked over, and only the numbers we judge by are kept. A header may come
from anybody, so nothing in it decides how long we read or how much we keep.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import asdict, dataclass
from typing import Any

from llamarig.onhost.ggml_types import TYPES, Type
from llamarig.onhost.gguf_reader import ARRAY, DAMAGED, SCALARS, STRING, Reader
from llamarig.onhost.gguf_reader import Incomplete as Incomplete

MAGIC = b"GGUF"
# Whole numbers, and the booleans of recurrent_layers.
WHOLE = (0, 1, 2, 3, 4, 5, 7, 10, 11)
# No real header has more; beyond it the file is not what it says. Blocks: llama.cpp's
# LLAMA_MAX_LAYERS; dimensions: its GGML_MAX_DIMS; types: its GGML_TYPE_COUNT is 43.
MOST_ENTRIES = 100_000
MOST_BLOCKS = 512
MOST_DIMENSIONS = 4
MOST_COUNT = 2**40
MOST_TYPE = 255
# What an entry and a row of the tensor table take at the least, in bytes.
LEAST_ENTRY, LEAST_ROW = 8 + 4 + 1, 8 + 4 + 4 + 8
BLOCK = re.compile(rb"blk\.(\d{1,4})\.")
# The keys we keep, all below the architecture's name.
COUNTS = {
    "block_count": "block_count",
    "nextn_predict_layers": "nextn_predict_layers",
    "context_length": "context_length",
    "embedding_length": "embedding_length",
    "full_attention_interval": "full_attention_interval",
    "key_length": "attention.key_length",
    "value_length": "attention.value_length",
    "ssm_conv_kernel": "ssm.conv_kernel",
    "ssm_inner_size": "ssm.inner_size",
    "ssm_state_size": "ssm.state_size",
    "ssm_group_count": "ssm.group_count",
}
PER_BLOCK = {
    "head_count": "attention.head_count",
    "head_count_kv": "attention.head_count_kv",
    "recurrent_layers": "attention.recurrent_layers",
}
KEPT = {*COUNTS.values(), *PER_BLOCK.values()}
GENERAL = {
    "general.architecture", "general.name", "general.file_type", "tokenizer.ggml.tokens",
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """architecture, and its counts, 0 where the file does not say; sizes in bytes.

    block_count: with the draft heads' blocks. mtp_tensors: tensors of the draft heads alone;
    mtp_bytes: all of their blocks. head_count, head_count_kv, recurrent_layers: one number per
    block, or none. vocabulary: tokens. tensor_types: how many tensors of which type; one that we
    don't know is `type N` and counts no bytes. file_type: llama.cpp's number for the
    quantization, -1 if not said.
    """

    architecture: str
    name: str
    block_count: int
    nextn_predict_layers: int
    context_length: int
    tensor_count: int
    mtp_tensors: int
    header_bytes: int
    embedding_length: int
    vocabulary: int
    file_type: int
    full_attention_interval: int
    key_length: int
    value_length: int
    head_count: tuple[int, ...]
    head_count_kv: tuple[int, ...]
    recurrent_layers: tuple[int, ...]
    ssm_conv_kernel: int
    ssm_inner_size: int
    ssm_state_size: int
    ssm_group_count: int
    tensor_types: dict[str, int]
    tensor_bytes: int
    mtp_bytes: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Values:
    """The keys that we keep, as places in the file; read only when asked for."""

    def __init__(self, reader: Reader, entries: int) -> None:
        self._reader = reader
        self._places: dict[str, tuple[int, int]] = {}
        for _ in range(entries):
            key = reader.text().decode(errors="replace")
            kind = reader.number("I")
            if key in GENERAL or key.partition(".")[2] in KEPT:
                self._places[key] = kind, reader.at
            reader.skip_value(kind)

    def _go(self, key: str) -> tuple[Reader, int]:
        """A reader at the key's value, and its type; -1 if there is no such key."""
        kind, place = self._places.get(key, (-1, 0))
        reader = Reader(self._reader.data)
        reader.at = place
        return reader, kind

    def text(self, key: str) -> str:
        reader, kind = self._go(key)
        return reader.text().decode(errors="replace") if kind == STRING else ""

    def count(self, key: str, missing: int = 0) -> int:
        """A whole number from 0; of an array (some keys may be one per block) its largest."""
        reader, kind = self._go(key)
        if kind == ARRAY:
            return max(self.per_block(key, 0), default=missing)
        return missing if kind == -1 else self._whole(key, kind, reader)

    def per_block(self, key: str, blocks: int) -> tuple[int, ...]:
        """One number per block; a single number holds for all of them."""
        reader, kind = self._go(key)
        if kind == -1:
            return ()
        if kind != ARRAY:
            return (self._whole(key, kind, reader),) * blocks
        kind, count = reader.number("I"), reader.number("Q")
        if count > MOST_BLOCKS:
            raise ValueError(f"{key}: {count} numbers, at most {MOST_BLOCKS} blocks; {DAMAGED}")
        return tuple(self._whole(key, kind, reader) for _ in range(count))

    @staticmethod
    def _whole(key: str, kind: int, reader: Reader) -> int:
        found = int(reader.number(SCALARS[kind])) if kind in WHOLE else -1
        if not 0 <= found <= MOST_COUNT:
            raise ValueError(f"{key}: not a count; {DAMAGED}")
        return found

    def length(self, key: str) -> int:
        """The elements of an array."""
        reader, kind = self._go(key)
        if kind != ARRAY:
            return 0
        reader.number("I")
        return int(reader.number("Q"))


class _Tensors:
    """The sums over the tensor table."""

    def __init__(self, reader: Reader, rows: int) -> None:
        self.types: dict[str, int] = {}
        self.bytes = 0
        self.nextn = 0
        self._blocks: dict[int, int] = {}
        for _ in range(rows):
            self._row(reader)

    def _row(self, reader: Reader) -> None:
        name = reader.text()
        dimensions = reader.number("I")
        if dimensions > MOST_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions} dimensions; {DAMAGED}")
        elements, first = 1, 1
        for place in range(dimensions):
            length = reader.number("q")
            elements *= length
            first = first if place else length
            if length < 0 or elements > MOST_COUNT:
                raise ValueError(f"a tensor with a dimension of {length}; {DAMAGED}")
        number = reader.number("I")
        reader.skip(8)
        if number > MOST_TYPE:
            raise ValueError(f"tensor type {number} is impossible; {DAMAGED}")
        # A type made after this table was: whether it runs is for llama.cpp to say.
        kind = TYPES.get(number) or Type(f"type {number}", 1, 0)
        if first % kind.block:
            raise ValueError(f"a row of {first} elements in {kind.name}; {DAMAGED}")
        self._add(name, kind.name, elements // kind.block * kind.size)

    def _add(self, name: bytes, kind: str, size: int) -> None:
        self.types[kind] = self.types.get(kind, 0) + 1
        self.bytes += size
        self.nextn += b".nextn." in name
        if block := BLOCK.match(name):
            number = int(block[1])
            self._blocks[number] = self._blocks.get(number, 0) + size

    def from_block(self, first: int) -> int:
        """Bytes of the blocks from this one on."""
        return sum(size for block, size in self._blocks.items() if block >= first)


def parse(data: mmap.mmap | bytes) -> Header:
    """Read a header.

    Raises:
        Incomplete: a ValueError; the header is longer than `data`.
        ValueError: no GGUF, a version that is not known, or a damaged header.
    """
    reader = Reader(data)
    if bytes(data[: len(MAGIC)]) != MAGIC[: len(data)]:
        raise ValueError("not a GGUF file")
    reader.skip(len(MAGIC))
    version, tensors, entries = reader.number("I"), reader.number("Q"), reader.number("Q")
    if version in (2 << 24, 3 << 24):
        raise ValueError("a big-endian GGUF file; llama.cpp on this machine reads little-endian")
    if version not in (2, 3):
        raise ValueError(f"GGUF version {version} is not known")
    if tensors > MOST_ENTRIES or entries > MOST_ENTRIES:
        raise ValueError("the header's counts are impossible; the file is damaged")
    reader.need(entries * LEAST_ENTRY + tensors * LEAST_ROW)
    values = _Values(reader, entries)
    return _header(values, _Tensors(reader, tensors), tensors, reader.at)


def _header(values: _Values, table: _Tensors, tensors: int, size: int) -> Header:
    kind = _printable(values.text("general.architecture"))
    counts: dict[str, Any] = {field: values.count(f"{kind}.{key}") for field, key in COUNTS.items()}
    blocks = counts["block_count"]
    heads = counts["nextn_predict_layers"]
    if blocks > MOST_BLOCKS or heads > blocks:
        raise ValueError(f"{blocks} blocks, {heads} of them draft heads; {DAMAGED}")
    per_block: dict[str, Any] = {
        field: values.per_block(f"{kind}.{key}", blocks) for field, key in PER_BLOCK.items()
    }
    return Header(
        architecture=kind,
        name=_printable(values.text("general.name")),
        tensor_count=tensors,
        mtp_tensors=table.nextn,
        header_bytes=size,
        vocabulary=values.length("tokenizer.ggml.tokens"),
        file_type=values.count("general.file_type", missing=-1),
        tensor_types=table.types,
        tensor_bytes=table.bytes,
        mtp_bytes=table.from_block(blocks - heads) if heads else 0,
        block_count=counts.pop("block_count"),
        nextn_predict_layers=counts.pop("nextn_predict_layers"),
        **counts,
        **per_block,
    )


def _printable(text: str) -> str:
    """Names end on terminals."""
    return "".join(sign for sign in text if sign.isprintable())


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
