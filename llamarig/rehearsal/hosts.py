"""Made hosts: real systemd machines in containers, started, stopped and deprived of power."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from llamarig.errors import UserError
from llamarig.paths import CCACHE
from llamarig.rehearsal import cgroup, disk, mounts, network
from llamarig.rehearsal.rootfs import new_key
from llamarig.rehearsal.shell import environment
from llamarig.rehearsal.state import Host, State, cache_root, lab_folder, write_atomically

BOOT_PATIENCE = 60.0
NSPAWN_RUN = Path("/run/systemd/nspawn")
RESOLVED = Path("/run/systemd/resolve/resolv.conf")


def folder(lab: str, host: str) -> Path:
    return lab_folder(lab) / "hosts" / host


def machine_name(lab: str, host: str) -> str:
    """What nspawn knows the host as: its locks are the machine's, so the lab is in it."""
    return f"llamarig-{lab}-{host}"


def number(host: str) -> int:
    """`gpu03`: 3."""
    return int(host.removeprefix("gpu"))


def running(lab: str, host: str) -> bool:
    """Whether the host has power: its init and what init started live in its groups."""
    return len(cgroup.processes(lab, host)) > 1


def resolver(path: Path = Path("/etc/resolv.conf"), behind: Path = RESOLVED) -> str:
    """The name servers that a host can use: not the machine's own loopback."""
    text = path.read_text() if path.exists() else ""
    loopback = any(line.startswith("nameserver 127.") for line in text.splitlines())
    return behind.read_text() if loopback and behind.exists() else text


def hosts_file(state: State, own: str) -> str:
    lines = ["127.0.0.1 localhost", f"127.0.1.1 {own}", f"{state.gateway} controller"]
    lines += [f"{host.address} {host.name}" for host in state.hosts if host.name != own]
    return "\n".join(lines) + "\n"


def known_hosts(state: State) -> str:
    """Lines for the lab's known_hosts: the keys that we made ourselves."""
    lines = []
    for host in state.hosts:
        public = folder(state.id, host.name) / "ssh_host_ed25519_key.pub"
        kind, key = public.read_text().split()[:2]
        lines.append(f"{host.name},{host.address} {kind} {key}\n")
    return "".join(lines)


def create(state: State, host: Host) -> None:
    """The host's folder: its disk and its identity; from a snapshot the disk is already there."""
    place = folder(state.id, host.name)
    place.mkdir(parents=True, exist_ok=True)
    new_key(place / "ssh_host_ed25519_key", f"root@{host.name}")
    if not disk.image(place).exists():
        disk.create(place, host.data_size)


def boot(state: State, host: Host) -> None:
    """Give the host power and wait until sshd answers on its address."""
    place = folder(state.id, host.name)
    clear(state.id, host.name)
    root = mounts.overlay(host.layers, place)
    host.data_kind = disk.attach(place, host.data_size)
    network.attach(state.id, host.name, number(host.name), state.subnet)
    _identify(state, host, root)
    shared = cache_root() / "ccache"
    shared.mkdir(exist_ok=True)
    argv = [
        *cgroup.launcher(state.id, host.name),
        "systemd-nspawn", "-q", "--register=no", "--keep-unit", "-D", str(root),
        "-M", machine_name(state.id, host.name), f"--hostname={host.name}",
        f"--network-namespace-path={network.NETNS / network.namespace(state.id, host.name)}",
        f"--bind={disk.mountpoint(place)}:/data", f"--bind={shared}:{CCACHE}",
        "--capability=CAP_NET_ADMIN",  # of its own network, as on a machine of its own
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe", "--boot",
    ]  # fmt: skip
    console = place / "console.log"
    with console.open("ab") as log:
        # A session of its own: the host outlives the command that started it.
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            env=environment(),
        )  # fmt: skip
    _wait_for_sshd(host, process, console)


def _identify(state: State, host: Host, root: Path) -> None:
    """A fresh identity over whatever the layers below carry."""
    place = folder(state.id, host.name)
    (root / "etc/hostname").write_text(f"{host.name}\n")
    (root / "etc/hosts").write_text(hosts_file(state, host.name))
    resolv = root / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.write_text(resolver())
    for name, mode in (("ssh_host_ed25519_key", 0o600), ("ssh_host_ed25519_key.pub", 0o644)):
        target = root / "etc/ssh" / name
        shutil.copyfile(place / name, target)
        target.chmod(mode)


def _wait_for_sshd(host: Host, process: subprocess.Popen[bytes], console: Path) -> None:
    deadline = time.monotonic() + BOOT_PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = console.read_text(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else "it said nothing"
            raise UserError(f"{host.name} did not start: {reason} (all of it: {console})")
        if answers(host.address):
            return
        time.sleep(0.05)
    raise UserError(f"{host.name}: no sshd within {BOOT_PATIENCE:.0f} s; see {console}")


def answers(address: str, patience: float = 1.0) -> bool:
    """Whether an SSH server greets at the address."""
    try:
        with socket.create_connection((address, 22), timeout=patience) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def refresh(state: State) -> None:
    """Tell every running host of all others, and the controller of every host's key."""
    for host in state.hosts:
        root = folder(state.id, host.name) / "root"
        if os.path.ismount(root):
            (root / "etc/hosts").write_text(hosts_file(state, host.name))
    write_atomically(Path(state.known_hosts), known_hosts(state))


def pull_plug(lab: str, host: str) -> None:
    """Cut the power: everything in it ends at once and its network falls silent."""
    network.plug(lab, host, False)
    cgroup.kill(lab, host)
    _release(lab, host)


def clear(lab: str, host: str) -> None:
    """Take down whatever of a host is there, whole or half; its folder stays."""
    cgroup.kill(lab, host)
    _release(lab, host)
    network.detach(lab, host)
    cgroup.remove(lab, host)


def _release(lab: str, host: str) -> None:
    place = folder(lab, host)
    _inode_lock(place / "root").unlink(missing_ok=True)
    mounts.unmount(place / "root")
    disk.detach(place)
    for path in nspawn_traces(machine_name(lab, host)):
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


def _inode_lock(root: Path) -> Path:
    """nspawn's second lock on a host; only the mounted root tells its name."""
    try:
        found = root.stat()
    except FileNotFoundError:
        return NSPAWN_RUN / "locks" / "inode-none"
    return NSPAWN_RUN / "locks" / f"inode-{found.st_dev}:{found.st_ino}"


def thaw(lab: str, host: str) -> None:
    """Let a host go on that a killed snapshot left frozen."""
    disk.thaw(folder(lab, host))
    cgroup.thaw(lab, host)


def nspawn_traces(pattern: str) -> list[Path]:
    """What nspawn leaves under /run when it is killed."""
    kinds = ("propagate/{}", "unix-export/{}", "locks/{}", "locks/*{}.lock")
    return [path for kind in kinds for path in NSPAWN_RUN.glob(kind.format(pattern))]


def ssh_argv(state: State, host: Host, user: str, command: Sequence[str] = ()) -> list[str]:
    """ssh to a host, trusting only the key that we made for it."""
    return [
        "ssh", "-i", state.ssh_key, "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
        "-o", f"UserKnownHostsFile={state.known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null",
        "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10", "-F", "/dev/null",
        f"{user}@{host.address}", *command,
    ]  # fmt: skip
