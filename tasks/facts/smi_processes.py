"""Who uses a card, from nvidia-smi's compute query and from its process monitor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llamarig.tasks.facts.smi_text import is_uuid, rows, whole


@dataclass(frozen=True)
class SmiProcess:
    """Who uses a card (its uuid). unit: its system service, if any; graphics: it draws, as a
    desktop does."""

    uuid: str
    pid: int
    name: str
    memory_mib: int | None = None
    unit: str = ""
    graphics: bool = False


def processes(found: dict[str, list[str]], uuids: dict[str, str]) -> list[SmiProcess]:
    """Everyone on the cards; the compute query has the full names, pmon also those that draw.

    found: nvidia-smi's sections; uuids: card's index, as pmon prints it, to uuid.
    """
    units = dict(line.split(None, 1) for line in found.get("units", []) if " " in line)
    monitored = {(each.uuid, each.pid): each for each in _monitored(found.get("pmon", []), uuids)}
    for uuid, pid, memory, name in rows(found.get("compute", []), 4):
        if is_uuid(uuid) and pid.isdigit():
            key = (uuid, int(pid))
            graphics = key in monitored and monitored[key].graphics
            each = SmiProcess(uuid, int(pid), name, whole(memory), units.get(pid, ""), graphics)
            monitored[key] = each
    return list(monitored.values())


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
