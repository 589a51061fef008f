"""Where the model will lie: its disk, the room on it, and the kind of file system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.disk import DiskState
    from llamarig.tasks.facts.workstation import Workstation

GIB = 2**30
# Their locks fail, hang, or hold on one machine only.
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "ncpfs"}
    | {f"fuse.{kind}" for kind in ("sshfs", "rclone", "s3fs", "glusterfs", "ceph", "davfs2")}
)


def hf_home(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """All that is wrong with the place at once; where nothing is, what it is."""
    if seen.disk is None:
        found = f"the host could not say where {settings.hf_home} lies"
        yield blocker("hf_home", found, f"log in and try: df {settings.hf_home}")
        return
    wrong = [
        *_system_disk(seen.disk, settings),
        *_room(seen.disk, settings),
        *_network(seen.disk, settings),
    ]
    yield from wrong or [ok("hf_home", _described(seen.disk))]


def _system_disk(disk: DiskState, settings: Settings) -> Iterator[Finding]:
    if disk.on_system_disk and not settings.allow_system_disk:
        yield blocker(
            "hf_home",
            f"{settings.hf_home} lies on the system disk (mounted at {disk.path.mounted_at})",
            "set hf_home to a data disk, or allow_system_disk = True",
        )


def _room(disk: DiskState, settings: Settings) -> Iterator[Finding]:
    if disk.path.free < settings.min_free_gib * GIB:
        yield blocker(
            "hf_home",
            f"{disk.path.free / GIB:.1f} GiB free at {disk.path.mounted_at}, "
            f"{settings.min_free_gib:.1f} GiB needed (min_free_gib)",
            "make room there, or set hf_home to another disk",
        )


def _network(disk: DiskState, settings: Settings) -> Iterator[Finding]:
    if disk.path.kind in NETWORK:
        yield warning(
            "hf_home",
            f"{settings.hf_home} lies on a network file system ({disk.path.kind}, mounted at "
            f"{disk.path.mounted_at}), where the locks of the hub's client break",
            "set hf_home to a disk of the host's own",
        )


def _described(disk: DiskState) -> str:
    place = disk.path
    on = f" on {', '.join(sorted(place.disks))}" if place.disks else ""
    shared = ", the system disk, as allow_system_disk says" if disk.on_system_disk else ""
    return f"{place.kind} at {place.mounted_at}{on}, {place.free / GIB:.1f} GiB free{shared}"


RULES: tuple[Rule, ...] = (hf_home,)
