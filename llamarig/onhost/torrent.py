"""What peers must know of a file to judge every piece of it: a torrent's metadata (BEP 3).

Made in one pass that also checks the whole file's sha256, so that it never describes other bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from llamarig.onhost.errors import Stop

# At most so many hashes: 16.8 GB in pieces of 4 MiB are 4,006, or 80 kB of metadata.
MOST_PIECES = 4096
SMALLEST_PIECE = 256 * 1024
NAME = "payload"


def piece_length(size: int) -> int:
    """Bytes of a piece: the smallest power of two, at least 256 KiB, with at most 4096 pieces."""
    length = SMALLEST_PIECE
    while length * MOST_PIECES < size:
        length *= 2
    return length


def make(path: str, sha256: str, tell: Callable[[int, int], None]) -> bytes:
    """The metadata of the file at `path`, bencoded. tell(done, total) is called for each piece.

    Raises:
        Stop: its bytes do not have this sha256.
        OSError: not readable.
    """
    size = os.stat(path).st_size
    length, whole, pieces = piece_length(size), hashlib.sha256(), []
    # Both at once: hashlib lets other threads run.
    with open(path, "rb") as file, ThreadPoolExecutor(1) as beside:
        while block := file.read(length):
            updated = beside.submit(whole.update, block)
            pieces.append(hashlib.sha1(block, usedforsecurity=False).digest())
            updated.result()
            tell(min(len(pieces) * length, size), size)
    if whole.hexdigest() != sha256:
        raise Stop(
            f"{path} has sha256 {whole.hexdigest()}, not {sha256}: it is given to nobody; "
            "`llamarig models verify` says what is wrong"
        )
    # Private (BEP 27): no client that obeys it looks for peers other than those it is told.
    info = {"length": size, "name": NAME, "piece length": length, "pieces": b"".join(pieces),
            "private": 1}  # fmt: skip
    return _bencode({"info": info})


def _bencode(value: object) -> bytes:
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        return _bencode(value.encode())
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    assert isinstance(value, dict), "a torrent holds numbers, texts and dictionaries"
    inner = b"".join(_bencode(key) + _bencode(value[key]) for key in sorted(value))
    return b"d" + inner + b"e"
