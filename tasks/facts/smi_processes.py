"""Who uses a card, from nvidia-smi's compute query and from its process monitor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from llamarig.tasks.facts.smi_text import is_uuid, rows, whole

# How engines call a container's control group, with systemd's driver and with their own.
CONTAINERS = (
    (re.compile(r"/docker[-/]([0-9a-f]{12})"), "docker"),
    (re.compile(r"/libpod-([0-9a-f]{12})"), "podman"),
    (re.compile(r"/kubepods[^/]*/(?:.*/)?(?:[a-z]+-)*([0-9a-f]{12})"), "kubernetes"),
    (re.compile(r"/lxc(?:\.payload\.|/)([^/]+)"), "lxc"),
)


@dataclass(frozen=True)
class SmiProcess:
    """Who uses a card (its uuid). unit: its system service, if any; graphics: it draws, as a
    desktop does. owner: its user, empty where the host has no such process. container: engine and
    name, `docker 0123456789ab`; what runs in one has no unit here, whatever it has in there."""

    uuid: str
    pid: int
    name: str
    memory_mib: int | None = None
    unit: str = ""
    graphics: bool = False
    owner: str = ""
    container: str = ""


def processes(found: dict[str, list[str]], uuids: dict[str, str]) -> list[SmiProcess]:
    """Everyone on the cards; the compute query has the full names, pmon also those that draw.

    found: nvidia-smi's sections; uuids: card's index, as pmon prints it, to uuid.
    """
    units = dict(line.split(None, 1) for line in found.get("units", []) if " " in line)
    split = [line.split(None, 2) for line in found.get("owners", [])]
    owners = {row[0]: row[1:] for row in split if len(row) > 1}
    monitored = {(each.uuid, each.pid): each for each in _monitored(found.get("pmon", []), uuids)}
    for uuid, pid, memory, name in rows(found.get("compute", []), 4):
        if is_uuid(uuid) and pid.isdigit():
            key = (uuid, int(pid))
            owner, group = [*owners.get(pid, []), "", ""][:2]
            container = _container(group)
            monitored[key] = SmiProcess(
                uuid,
                int(pid),
                name,
                whole(memory),
                unit="" if container else units.get(pid, ""),
                graphics=key in monitored and monitored[key].graphics,
                owner=owner.replace("UNKNOWN", ""),
                container=container,
            )
    return list(monitored.values())


def _container(group: str) -> str:
    """Engine and name of the container that a control group is; empty for none."""
    for pattern, engine in CONTAINERS:
        if found := pattern.search(group):
            return f"{engine} {found[1]}"
    return ""


def _monitored(lines: list[str], uuids: dict[str, str]) -> Iterator[SmiProcess]:
    """pmon's rows by the names of its columns, which differ by driver."""
    header = next((line.lstrip("# ").split() for line in lines if line.startswith("# gpu")), [])
    for line in lines:
        row = dict(zip(header, line.split(None, max(len(header) - 1, 0)), strict=False))
        uuid, pid = uuids.get(row.get("gpu", "")), row.get("pid", "")
        if uuid and pid.isdigit():
            graphics = "G" in row.get("type", "")
            memory = whole(row.get("fb", ""))
            yield SmiProcess(uuid, int(pid), row.get("command", ""), memory, "", graphics)
