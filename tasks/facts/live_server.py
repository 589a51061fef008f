"""The live llama-server's unit as systemd sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from llamarig.paths import GENERATIONS, LIVE_UNIT

_GENERATION = re.compile(re.escape(GENERATIONS) + r"/(\d+)/")


@dataclass(frozen=True)
class LiveState:
    """generation: the one whose binary runs (None: nothing runs); since: systemd's own text;
    replaced: it has a model in memory whose file was replaced since (damaged, brought anew)."""

    active: str = "inactive"
    pid: int = 0
    since: str = ""
    restarts: int = 0
    generation: int | None = None
    replaced: bool = False


class LiveServer(FactBase[LiveState]):
    """What runs now, which after a crash or by hand may differ from what `current` names."""

    @staticmethod
    def default() -> LiveState:
        return LiveState()

    def command(self) -> str:
        return (
            f"systemctl show {LIVE_UNIT} -p ActiveState -p MainPID -p NRestarts "
            "-p ActiveEnterTimestamp; "
            f"pid=$(systemctl show {LIVE_UNIT} -p MainPID --value); "
            '[ "${pid:-0}" != 0 ] && echo "Command=$(tr "\\0" " " <"/proc/$pid/cmdline")" && '
            'grep -q "/blobs/.*(deleted)$" "/proc/$pid/maps" && echo Replaced=yes; true'
        )

    def process(self, output: list[str]) -> LiveState:
        values = dict(line.split("=", 1) for line in output if "=" in line)
        running = _GENERATION.search(values.get("Command", ""))
        return LiveState(
            active=values.get("ActiveState", "inactive"),
            pid=int(values.get("MainPID") or 0),
            since=values.get("ActiveEnterTimestamp", ""),
            restarts=int(values.get("NRestarts") or 0),
            generation=int(running[1]) if running else None,
            replaced=values.get("Replaced") == "yes",
        )
