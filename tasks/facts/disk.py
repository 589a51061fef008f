"""Where a path lies: file system, room, and the physical disks under it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class Placement:
    """A path's place. device is the file system's MAJ:MIN; sizes are bytes; disks may be empty
    where the kernel names none (overlay, tmpfs, network)."""

    device: str
    kind: str
    mounted_at: str
    free: int
    disks: frozenset[str]


@dataclass(frozen=True)
class DiskState:
    """The place of a path, and that of the root file system."""

    path: Placement
    root: Placement

    @property
    def on_system_disk(self) -> bool:
        """Whether the path shares the file system or a physical disk with /."""
        same_file_system = self.path.device == self.root.device
        return same_file_system or bool(self.path.disks & self.root.disks)


SCRIPT = """
place() {
    p=$1; while [ ! -e "$p" ]; do p=$(dirname "$p"); done
    findmnt -nro MAJ:MIN,FSTYPE,TARGET -T "$p" | tail -n 1
    df -B1 --output=avail "$p" | tail -n 1
    source=$(findmnt -nvro SOURCE -T "$p" | tail -n 1)
    echo "$( [ -b "$source" ] && lsblk -snro NAME,TYPE "$source" 2>/dev/null |
        awk '$2 == "disk" || $2 == "loop" { print $1 }' | tr '\\n' ' ')"
}
place PATH_; place /
"""


class Disk(FactBase[DiskState | None]):
    """The place of a path, which need not exist yet: its nearest parent that does counts."""

    def command(self, path: str) -> str:
        script = SCRIPT.replace("PATH_", shlex.quote(path))
        return f"sh -c {shlex.quote(script)}"

    def process(self, output: list[str]) -> DiskState:
        if len(output) != 6:
            raise FactProcessError(f"six lines expected about the disk, got {output!r}")
        return DiskState(_placement(output[:3]), _placement(output[3:]))


def _placement(lines: list[str]) -> Placement:
    mount = lines[0].split()
    if len(mount) != 3 or not lines[1].strip().isdigit():
        raise FactProcessError(f"not a mount and its free bytes: {lines!r}")
    free = int(lines[1].strip())
    return Placement(mount[0], mount[1], mount[2], free, frozenset(lines[2].split()))
