"""A file's bytes as the stand-in hub sends them: slow, cut or wrong where it was told to."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from llamarig.rehearsal.hub_faults import cut

if TYPE_CHECKING:
    from llamarig.rehearsal.hub_content import Served
    from llamarig.rehearsal.hub_handler import Handler

CHUNK = 256 * 1024


def send(handler: Handler, file: Served, first: int, count: int, faults: dict[str, int]) -> None:
    """Send `count` bytes of the file from `first` on, as far as the faults let it come."""
    try:
        with file.path.open("rb") as source:
            source.seek(first)
            if not _whole(handler, file, source.read, first, count, faults):
                _hang_up(handler, hard="reset" in faults or "reset_at" in faults)
    except (BrokenPipeError, ConnectionResetError):
        handler.content.count("client gone")
        handler.close_connection = True


def _whole(
    handler: Handler,
    file: Served,
    read: Callable[[int], bytes],
    first: int,
    count: int,
    faults: dict[str, int],
) -> bool:
    """Whether all was sent; else the response was cut where it had to be."""
    end, sent = cut(faults, first), 0
    while sent < count:
        chunk = bytearray(read(min(CHUNK, count - sent)))
        place = faults.get("corrupt", -1) - first - sent
        if 0 <= place < len(chunk):
            chunk[place] ^= 1
        if end is not None and sent + len(chunk) > end:
            _write(handler, file, chunk[: max(0, end - sent)])
            return False
        _write(handler, file, chunk)
        sent += len(chunk)
        if faults.get("slow"):
            time.sleep(len(chunk) / faults["slow"])
        if faults.get("stall") and sent == len(chunk):
            time.sleep(faults["stall"])
    return True


def _write(handler: Handler, file: Served, chunk: bytearray) -> None:
    # Counted first: who has the last byte may ask for the count at once.
    _count(handler, file, len(chunk))
    try:
        handler.wfile.write(chunk)
    except OSError:
        _count(handler, file, -len(chunk))
        raise


def _count(handler: Handler, file: Served, size: int) -> None:
    handler.content.count("bytes", size)
    handler.content.count(f"bytes {file.path.name}", size)


def _hang_up(handler: Handler, *, hard: bool) -> None:
    handler.content.count("dropped")
    handler.wfile.flush()
    handler.close_connection = True
    if hard:
        # Closed without a shutdown before it, which would send a FIN: the client sees the reset.
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(handler.connection.detach())
    else:
        handler.connection.shutdown(socket.SHUT_RDWR)
