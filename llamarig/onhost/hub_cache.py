"""The hub's cache below HF_HOME, as its own client lays it out, and our unfinished files.

`hub/models--A--B/blobs/SHA256` holds the bytes, `snapshots/COMMIT/FILE` is a relative link to them
and `refs/main` names a commit. A blob gets its name only after its bytes were verified.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from llamarig.onhost.files import replace_link, sync_folder

GIB = 2**30
COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where one file of one commit lies. revision: 40 hex; sha256: 64 hex; size: bytes.

    Raises:
        ValueError: one of them would lead out of hf_home.
    """

    hf_home: str
    repo: str
    file: str
    revision: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        parts = self.file.split("/")
        if not (
            COMMIT.fullmatch(self.revision)
            and SHA256.fullmatch(self.sha256)
            and REPO.fullmatch(self.repo)
            and ".." not in self.repo
            and all(part and part not in (".", "..") and part.isprintable() for part in parts)
        ):
            raise ValueError(f"no place for {self.repo!r} {self.file!r} {self.revision!r}")

    @property
    def folder(self) -> str:
        name = "models--" + self.repo.replace("/", "--")
        return os.path.join(self.hf_home, "hub", name)

    @property
    def blob(self) -> str:
        return os.path.join(self.folder, "blobs", self.sha256)

    @property
    def snapshot(self) -> str:
        return os.path.join(self.folder, "snapshots", self.revision, self.file)

    @property
    def partial(self) -> str:
        """Beside `hub`, so that a rename places it and `hf cache prune` leaves it."""
        return os.path.join(self.hf_home, "llamarig", f"{self.sha256}.partial")

    @property
    def suspect(self) -> str:
        """Says that the blob was found wrong and still has its name: nobody may count it."""
        return os.path.join(self.hf_home, "llamarig", f"{self.sha256}.suspect")


def size_of(path: str) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def no_room(place: Place, have: int, spare: int, free: int) -> str | None:
    """The line for a disk that is too small; None if it isn't. All in bytes: have: of the file, on
    the disk already; spare: what stays free (min_free_gib); free: what is free now."""
    needed = max(0, place.size - have) + spare
    if free >= needed:
        return None
    return (
        f"hf_home: {needed / GIB:.1f} GiB needed below {place.hf_home} (file and min_free_gib), "
        f"{free / GIB:.1f} GiB free"
    )


def remove(path: str) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@contextlib.contextmanager
def locked(place: Place) -> Iterator[int]:
    """Alone with the partial file; gives the lock's descriptor. A second process waits here."""
    os.makedirs(os.path.dirname(place.partial), exist_ok=True)
    handle = os.open(f"{place.partial}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another download of {place.file} is under way, waiting for it", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def move(source: str, target: str) -> None:
    """Rename within the disk, so that it also holds after a power cut."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.replace(source, target)
    sync_folder(target)
    sync_folder(source)


def link(place: Place, asked: str | None) -> None:
    """Give the placed blob its snapshot and the names by which the hub's client finds it offline.

    asked: the revision that the user named (None: main). What main names elsewhere is not known
    when a commit was asked for, so a `refs/main` that is there stays.
    """
    os.makedirs(os.path.dirname(place.snapshot), exist_ok=True)
    replace_link(place.snapshot, os.path.relpath(place.blob, os.path.dirname(place.snapshot)))
    name = asked or "main"
    if not COMMIT.fullmatch(name):
        _name(place, name)
    if not os.path.exists(os.path.join(place.folder, "refs", "main")):
        _name(place, "main")
    _open_up(place)


def _name(place: Place, name: str) -> None:
    path = os.path.join(place.folder, "refs", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    # The client takes the whole content for the commit: no newline.
    with open(temporary, "w", encoding="ascii") as file:
        file.write(place.revision)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path)


def _open_up(place: Place) -> None:
    """The service's user reads the model and nobody but the owner writes below the repository.

    HF_HOME itself may be shared, so there only what reading needs is added.
    """
    stored = os.path.dirname(os.path.realpath(place.blob))
    for path in (place.hf_home, os.path.dirname(place.folder), stored):
        os.chmod(path, os.stat(path).st_mode & 0o7777 | 0o555)
    for path in (place.blob, place.snapshot):
        folder = os.path.dirname(path)
        while folder.startswith(place.folder):
            os.chmod(folder, 0o755)
            folder = os.path.dirname(folder)
    os.chmod(place.blob, 0o644)
