"""Large models for the fault matrix, and who opens a file."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path
from types import TracebackType

import gguf
import numpy as np

from llamarig.rehearsal import metadata, tensors, vocabulary
from llamarig.rehearsal.shape import Shape

# From linux/inotify.h.
IN_ACCESS, IN_OPEN = 0x1, 0x20


def write(path: Path, padding: int, seed: int) -> Path:
    """A GGUF with MTP heads at `path` that is `padding` bytes larger than it need be.

    The padding is random, so that no part of it can stand for another; of a seed always the same.
    """
    words, shape = vocabulary.build(), Shape(layers=4)
    writer = gguf.GGUFWriter(str(path), metadata.ARCHITECTURE)
    metadata.architecture(writer, shape)
    metadata.tokenizer(writer, words)
    tensors.write(writer, shape, words)
    random = np.random.default_rng(seed)
    writer.add_tensor("padding.weight", random.integers(-128, 128, padding, np.int8))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Opens:
    """Counts how often anybody, on this machine or on a host made on it, opens or reads a file:
    `with Opens(path) as opens: …; opens.count()`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Opens:
        library = ctypes.CDLL(None, use_errno=True)
        self._queue = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watch = library.inotify_add_watch(
            self._queue, os.fsencode(self._path), ctypes.c_uint32(IN_ACCESS | IN_OPEN)
        )
        if min(self._queue, watch) < 0:
            raise OSError(ctypes.get_errno(), f"{self._path}: can't be watched")
        return self

    def count(self) -> int:
        """Opens and reads since the last call."""
        found = 0
        while True:
            try:
                events = os.read(self._queue, 65536)
            except BlockingIOError:
                return found
            while events:
                length = struct.unpack_from("iIII", events)[3]
                events = events[struct.calcsize("iIII") + length :]
                found += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._queue)
