"""What a lab has on the machine: everything that `down` must have removed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from llamarig.rehearsal import cgroup, disk, firewall, forwarding, hosts, mounts, network
from llamarig.rehearsal.state import lab_folder


def leftovers(lab: str) -> list[str]:
    """Everything of the lab that is on the machine, one line each; empty when it is gone."""
    folder = lab_folder(lab)
    found: list[str] = []
    if Path(f"/sys/class/net/{network.interface(lab)}").exists():
        found.append(f"interface {network.interface(lab)}")
    found += [f"network namespace {name}" for name in network.namespaces(lab)]
    found += [f"mount {point}" for point in mounts.under(folder)]
    found += [f"loop device {device}" for device in disk.loops(folder)]
    if firewall.is_up(lab):
        found.append(f"nft table ip {firewall.table(lab)}")
    found += [f"process {process} {what}" for process, what in processes(lab).items()]
    found += [f"control group {group}" for group in cgroup.groups(lab)]
    found += [f"file {path}" for path in hosts.nspawn_traces(hosts.machine_name(lab, "*"))]
    if forwarding.held(lab):
        found.append("ip_forward held")
    if folder.exists():
        found.append(f"folder {folder}")
    return found


def processes(lab: str) -> dict[int, str]:
    """Processes in the lab's groups, and those that were given its folder as an argument."""
    found = {process: command(process) for process in cgroup.processes(lab)}
    for process in strangers(lab):
        found[process] = command(process)
    return found


def strangers(lab: str) -> list[int]:
    """Processes outside the lab's groups whose command names its folder."""
    folder = str(lab_folder(lab))
    own = _own_line()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own:
            arguments = command(int(entry.name)).split()
            if any(word == folder or f"{folder}/" in word for word in arguments):
                found.append(int(entry.name))
    return found


def command(process: int) -> str:
    with contextlib.suppress(OSError):
        return (
            Path(f"/proc/{process}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode(errors="replace")
            .strip()
        )
    return ""


def _own_line() -> set[int]:
    """Ourselves and whoever started us: a shell may carry the folder's name in its command."""
    line: set[int] = set()
    process = os.getpid()
    while process > 1 and process not in line:
        line.add(process)
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rsplit(")", 1)[1].split()[1])
    return line
