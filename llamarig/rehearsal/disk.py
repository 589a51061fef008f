"""A host's data disk: a sparse ext4 image on a loop device, seen in the host as /data.

It is a different disk than the one / is on, as on a workstation. Where the machine has no loop
devices a memory file system of its own stands in, and the user is told.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal.mounts import unmount
from llamarig.rehearsal.shell import run

DEFAULT_SIZE = "12G"
SIZE = re.compile(r"([1-9][0-9]*)([MGT])")
UNITS = {"M": 2**20, "G": 2**30, "T": 2**40}
SMALLEST = 8 * 2**20
# ext4, which the cache may lie on, holds no larger file.
LARGEST = 15 * 2**40
LOOP_MAJOR = 7


def parse_size(text: str) -> int:
    """`12G`, `64M`: bytes."""
    match = SIZE.fullmatch(text.strip().upper())
    if not match:
        raise UserError(f"--data-size {text}: a number and M, G or T, for instance {DEFAULT_SIZE}")
    size = int(match[1]) * UNITS[match[2]]
    if not SMALLEST <= size <= LARGEST:
        raise UserError(f"--data-size {text}: at least 8M and at most 15T")
    return size


def image(folder: Path) -> Path:
    return folder / "data.img"


def mountpoint(folder: Path) -> Path:
    return folder / "data"


def create(folder: Path, size: str) -> None:
    """An empty disk for a host's folder."""
    try:
        with image(folder).open("wb") as handle:
            handle.truncate(parse_size(size))
    except OSError as error:
        raise UserError(f"{image(folder)}: no file of {size}: {error.strerror}") from None
    fast = "lazy_itable_init=1,lazy_journal_init=1,nodiscard"
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-L", "data", "-E", fast, str(image(folder)))


def attach(folder: Path, size: str) -> str:
    """Mount the host's disk; `disk`, or `memory` where there are no loop devices."""
    target = mountpoint(folder)
    target.mkdir(exist_ok=True)
    if os.path.ismount(target):
        return "disk" if loops(folder) else "memory"
    if not _free_loop():
        run("mount", "-t", "tmpfs", "-o", f"size={parse_size(size)},mode=755", "tmpfs", str(target))
        return "memory"
    # The loop device goes by itself when it is unmounted, whoever unmounts it.
    run("mount", "-o", "loop,discard,noatime", str(image(folder)), str(target))
    return "disk"


def _free_loop() -> bool:
    if not os.path.exists("/dev/loop-control"):
        return False
    free = run("losetup", "--find", check=False)
    device = free.stdout.strip()
    if free.returncode or not device:
        return False
    if not os.path.exists(device):  # a /dev that the kernel does not fill itself
        number = int(device.removeprefix("/dev/loop"))
        try:
            os.mknod(device, 0o660 | stat.S_IFBLK, os.makedev(LOOP_MAJOR, number))
        except OSError:
            return False
    return True


def detach(folder: Path) -> None:
    """Unmount the host's disk and let go of its loop device."""
    thaw(folder)
    unmount(mountpoint(folder))
    for device in loops(folder):
        run("losetup", "--detach", device, check=False)


def freeze(folder: Path) -> None:
    """Flush the disk and let nothing change it until `thaw`."""
    run("fsfreeze", "--freeze", str(mountpoint(folder)))


def thaw(folder: Path) -> None:
    """Undo `freeze`; a frozen disk that is unmounted would never let go of its loop device."""
    if os.path.ismount(mountpoint(folder)):
        run("fsfreeze", "--unfreeze", str(mountpoint(folder)), check=False)


def loops(folder: Path) -> list[str]:
    """Loop devices whose image lies in the folder."""
    listed = run("losetup", "--json", "--list", "--output", "NAME,BACK-FILE", check=False)
    if listed.returncode or not listed.stdout.strip():
        return []
    devices = json.loads(listed.stdout)["loopdevices"]
    return [d["name"] for d in devices if str(d.get("back-file") or "").startswith(f"{folder}/")]
