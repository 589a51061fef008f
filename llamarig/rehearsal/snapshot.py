"""Snapshots: a host as it stands, kept as a read-only layer that new hosts start from.

<cache>/snapshots/NAME/ holds `upper` (what the host changed), `data.img` (its disk, sparse) and
snapshot.json, which names the layers below. New hosts get an identity of their own on top.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal import cgroup, disk, hosts, rootfs
from llamarig.rehearsal.shell import run
from llamarig.rehearsal.state import Host, State, cache_root, snapshot_name, write_atomically
from llamarig.rehearsal.state import load as load_state

# Whose these are, a new host makes anew.
IDENTITY = ("etc/hostname", "etc/hosts", "etc/resolv.conf", "var/lib/systemd/random-seed",
            "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub")  # fmt: skip
COPYING_TIMEOUT = 1800


@dataclass(frozen=True)
class Snapshot:
    """What snapshot.json says."""

    name: str
    layers: list[str]
    data_size: str
    data_kind: str


def folder(name: str) -> Path:
    return cache_root() / "snapshots" / snapshot_name(name)


def names() -> list[str]:
    """The finished snapshots of this cache."""
    found = (path.parent.name for path in (cache_root() / "snapshots").glob("*/snapshot.json"))
    return sorted(name for name in found if not name.startswith("."))


def load(name: str) -> Snapshot:
    """A snapshot whose layers are all still there."""
    try:
        found = Snapshot(**json.loads((folder(name) / "snapshot.json").read_text()))
    except FileNotFoundError:
        known = ", ".join(names()) or "none"
        raise UserError(f"no snapshot {name} (snapshots: {known})") from None
    for layer in found.layers:
        if not Path(layer).is_dir():
            raise UserError(f"snapshot {name} rests on {layer}, which is gone; make it again")
    return found


def take(state: State, host: Host, name: str, replace: bool = False) -> Path:
    """Keep a host, running or without power, under a name."""
    target = folder(name)
    if target.exists() and not replace:
        raise UserError(f"snapshot {name} exists; take it again with --replace")
    if target.exists():
        refuse_if_used(name)
    making = target.with_name(f".making-{name}-{os.getpid()}")
    remove_abandoned()
    making.mkdir(parents=True)
    place = hosts.folder(state.id, host.name)
    try:
        with quiet(state, host):
            _copy(place / "upper", making / "upper")
            if host.data_kind == "disk":
                _copy(disk.image(place), making / "data.img")
            else:
                _copy(disk.mountpoint(place), making / "data")
        for own in IDENTITY:
            (making / "upper" / own).unlink(missing_ok=True)
        (making / "upper/etc/machine-id").write_text("")
        layers = [str(target / "upper"), *host.layers]
        kept = Snapshot(name, layers, host.data_size, host.data_kind)
        write_atomically(making / "snapshot.json", json.dumps(asdict(kept), indent=2) + "\n")
    except BaseException:
        rootfs.discard(making)
        raise
    if target.exists():
        remove(name)
    making.replace(target)
    return target


def remove(name: str) -> None:
    """Remove a snapshot that no host and no other snapshot rests on."""
    refuse_if_used(name)
    doomed = folder(name).with_name(f".making-{name}-old-{os.getpid()}")
    folder(name).rename(doomed)
    rootfs.discard(doomed)


def refuse_if_used(name: str) -> None:
    """A layer under a host or another snapshot must not change."""
    upper = f"{folder(name)}/upper"
    resting = [other for other in names() if other != name and upper in load_layers(other)]
    for place in (cache_root() / "labs").glob("*"):
        state = load_state(place)
        users = [host.name for host in state.hosts if upper in host.layers] if state else []
        resting += [f"host {user} of lab {place.name}" for user in users]
    if resting:
        raise UserError(f"snapshot {name} is in use by {', '.join(resting)}")


def load_layers(name: str) -> list[str]:
    layers: list[str] = json.loads((folder(name) / "snapshot.json").read_text())["layers"]
    return layers


def remove_abandoned() -> None:
    """Remove what snapshots that were killed left half."""
    for left in (cache_root() / "snapshots").glob(".making-*"):
        owner = left.name.rsplit("-", 1)[1]
        if not Path(f"/proc/{owner}").exists():
            rootfs.discard(left)


def restore_disk(name: str, place: Path) -> None:
    """A snapshot's disk for a new host's folder."""
    source = folder(name) / "data.img"
    if source.exists():
        _copy(source, disk.image(place))


def restore_memory(name: str, place: Path) -> None:
    """What was on a memory file system, once the new host has one of its own."""
    source = folder(name) / "data"
    if source.is_dir():
        for entry in source.iterdir():
            _copy(entry, disk.mountpoint(place) / entry.name)


def _copy(source: Path, target: Path) -> None:
    # cp keeps what shutil does not: holes, whiteouts, and the attributes that overlayfs reads.
    run("cp", "--archive", "--reflink=auto", "--sparse=always", "--no-target-directory",
        str(source), str(target), timeout=COPYING_TIMEOUT)  # fmt: skip


@contextmanager
def quiet(state: State, host: Host) -> Iterator[None]:
    """The host's disks do not change while this lasts."""
    place = hosts.folder(state.id, host.name)
    try:
        if hosts.running(state.id, host.name):
            # What its programs have written reaches the disks before they are stopped.
            argv = hosts.ssh_argv(state, host, "ops", ["sudo", "sync"])
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                           timeout=60)  # fmt: skip
            cgroup.freeze(state.id, host.name)
        run("sync", "--file-system", str(place))
        if host.data_kind == "disk" and os.path.ismount(disk.mountpoint(place)):
            disk.freeze(place)
        yield
    finally:
        hosts.thaw(state.id, host.name)
