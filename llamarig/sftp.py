"""A large file over an SSH connection that is open already, going on where an earlier try ended.

paramiko sends a file's pieces without waiting for each answer and never reads the last hundred or
so, failures among them: so what arrived is told by the size of the file at the other end, never by
the absence of errors. Whether the bytes are right is for sha256 to say.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from paramiko import SFTPClient, SSHException

CHUNK = 2**20
# Seconds that the other end may keep silent. A link that is dead ends earlier, by the kernel.
SILENCE_SECONDS = 120.0
LOST = (SSHException, OSError, EOFError)

Progress = Callable[[int, int], None]


class Broken(Exception):  # noqa: N818 - what is there stays there, the next try goes on
    """The copy ended early; the words say why. `done`: bytes at the other end, None if unknown."""

    def __init__(self, why: str, done: int | None) -> None:
        super().__init__(why)
        self.done = done


def size(sftp: SFTPClient, remote: str) -> int:
    """Bytes of a regular file; 0 where there is none.

    Raises:
        OSError: something else lies there, or it can't be seen.
    """
    try:
        found = sftp.lstat(remote)
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(found.st_mode or 0):
        raise OSError(f"{remote} is no regular file")
    return found.st_size or 0


def append(sftp: SFTPClient, source: Path, remote: str, progress: Progress) -> int:
    """Send what `remote` lacks of `source`; `progress(done, total)` in bytes follows every MiB.

    Returns the bytes that were sent. A remote file longer than the source is begun anew.

    Raises:
        Broken: the source can't be read, the link is gone, or not all bytes arrived.
    """
    try:
        file = source.open("rb", buffering=0)
    except OSError as error:
        raise Broken(f"{source}: {error.strerror}", None) from None
    with file:
        total = os.fstat(file.fileno()).st_size
        try:
            if channel := sftp.get_channel():
                channel.settimeout(SILENCE_SECONDS)
            begun = size(sftp, remote)
            if begun > total:
                sftp.truncate(remote, 0)
                begun = 0
            file.seek(begun)
            done = begun
            with sftp.open(remote, "ab") as target:
                target.set_pipelined(True)
                while chunk := file.read(CHUNK):
                    target.write(chunk)
                    done += len(chunk)
                    progress(done, total)
            arrived = size(sftp, remote)
        except LOST as error:
            words, there = str(error) or type(error).__name__, _arrived(sftp, remote)
            lost = f"the connection was lost ({words})"
            raise Broken(lost if there is None else words, there) from None
    if arrived != total:
        raise Broken(f"{arrived} of {total} bytes arrived", arrived)
    return total - begun


def _arrived(sftp: SFTPClient, remote: str) -> int | None:
    """What is there after a failure, if the link still stands to tell."""
    try:
        return size(sftp, remote)
    except LOST:
        return None
