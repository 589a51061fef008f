"""The live llama-server's unit as systemd sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from pyinfra.api.facts import FactBase

from llamarig.onhost.beside import MEASURING
from llamarig.paths import GENERATIONS, LIVE_UNIT

_MEASURING = " ".join(f"'llamarig-{kind}-*.service'" for kind in MEASURING)
_GENERATION = re.compile(re.escape(GENERATIONS) + r"/(\d+)/")


@dataclass(frozen=True)
class LiveState:
    """generation: the one whose binary runs (None: nothing runs); since: systemd's own text, of
    the host's time zone; seconds: how long it is active or, stopped, has not been (None: not
    known); result: systemd's word for how it ended (success, exit-code, oom-kill, …);
    replaced: it has a model in memory whose file was replaced since (damaged, brought anew);
    reload: the unit on disk is newer than what systemd has read of it; measuring: the unit of a
    job at work that has stopped it, or will (empty: none)."""

    active: str = "inactive"
    pid: int = 0
    since: str = ""
    restarts: int = 0
    generation: int | None = None
    replaced: bool = False
    seconds: int | None = None
    result: str = ""
    reload: bool = False
    measuring: str = ""


class LiveServer(FactBase[LiveState]):
    """What runs now, which after a crash or by hand may differ from what `current` names."""

    @staticmethod
    def default() -> LiveState:
        return LiveState()

    def command(self) -> str:
        return (
            f"systemctl show {LIVE_UNIT} -p ActiveState -p MainPID -p NRestarts -p Result "
            "-p NeedDaemonReload -p ActiveEnterTimestamp; "
            # Times to reckon with: the host's own clock on both sides, in a zone that we can read.
            f"TZ=UTC systemctl show {LIVE_UNIT} -p ActiveEnterTimestamp -p InactiveEnterTimestamp "
            '| sed "s/^/Utc/"; echo "Now=$(date +%s)"; '
            "systemctl list-units --plain --no-legend --full "
            f"--state=active,activating,deactivating {_MEASURING} | "
            "sed -n '1s/ .*//;1s/^/Measuring=/p'; "
            f"pid=$(systemctl show {LIVE_UNIT} -p MainPID --value); "
            '[ "${pid:-0}" != 0 ] && echo "Command=$(tr "\\0" " " <"/proc/$pid/cmdline")" && '
            'grep -q "/blobs/.*(deleted)$" "/proc/$pid/maps" && echo Replaced=yes; true'
        )

    def process(self, output: list[str]) -> LiveState:
        values = dict(line.split("=", 1) for line in output if "=" in line)
        active = values.get("ActiveState", "inactive")
        running = _GENERATION.search(values.get("Command", ""))
        changed = "UtcActiveEnterTimestamp" if active == "active" else "UtcInactiveEnterTimestamp"
        return LiveState(
            active=active,
            pid=int(values.get("MainPID") or 0),
            since=values.get("ActiveEnterTimestamp", ""),
            restarts=int(values.get("NRestarts") or 0),
            generation=int(running[1]) if running else None,
            replaced=values.get("Replaced") == "yes",
            seconds=_between(values.get(changed, ""), values.get("Now", "")),
            result=values.get("Result", ""),
            reload=values.get("NeedDaemonReload") == "yes",
            measuring=values.get("Measuring", ""),
        )


def _between(begun: str, now: str) -> int | None:
    """Seconds from `Tue 2025-11-25 20:58:01 UTC` to an epoch time; None where systemd has none."""
    try:
        start = datetime.strptime(begun.split(" ", 1)[1], "%Y-%m-%d %H:%M:%S UTC")
        return max(0, int(now) - int(start.replace(tzinfo=timezone.utc).timestamp()))
    except (ValueError, IndexError):
        return None
