"""Who holds a card's memory, and the way to have it let go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llamarig.tasks.facts.nvidia_smi import SmiProcess

# Engines whose containers one command stops.
ENGINES = ("docker", "podman")


def size(process: SmiProcess) -> str:
    return "memory" if process.memory_mib is None else f"{process.memory_mib} MiB"


def stop(processes: Sequence[SmiProcess]) -> str:
    """How each is ended, services first: one that is only killed would start anew."""
    units = sorted({each.unit for each in processes if each.unit})
    ways = [f"systemctl stop {' '.join(units)}"] if units else []
    return ", ".join(dict.fromkeys(ways + [_way(each) for each in processes if not each.unit]))


def _way(process: SmiProcess) -> str:
    engine, _, name = process.container.partition(" ")
    if engine in ENGINES:
        return f"{engine} stop {name}"
    if engine:
        return f"stop it in its container ({process.container}, pid {process.pid})"
    if not process.owner and _unresolved(process.name):
        return (
            f"find pid {process.pid} with nvidia-smi on the machine that runs it "
            "(another container or namespace?)"
        )
    # Nobody's work is ended by a line that is copied from here.
    return f"ask {process.owner or 'its owner'} or stop it (pid {process.pid})"


def _unresolved(name: str) -> bool:
    """`[Not Found]`, `[Insufficient Permissions]`, and pmon's dash."""
    return not name or name == "-" or name.startswith("[")
