"""The files that systemd makes the live unit of: its links, and what others put beside it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from llamarig.paths import LIVE_UNIT, UNIT_LINK, WANTS_LINK

DROP_INS = f"{LIVE_UNIT}.d"
# Where systemd looks for drop-ins of one unit; `systemctl set-property` writes to the third.
FOLDERS = [
    f"{folder}/{DROP_INS}"
    for folder in ("/etc/systemd/system", "/run/systemd/system", "/etc/systemd/system.control")
]


@dataclass(frozen=True)
class UnitState:
    """link, wants: what the unit's two links lead to, empty where there is none or a file of its
    own; own_file: such a file stands in the unit's place; loaded: systemd knows the unit; drop_ins:
    paths of files that change this unit alone, on disk or loaded."""

    link: str = ""
    wants: str = ""
    own_file: bool = False
    loaded: bool = False
    drop_ins: tuple[str, ...] = ()


class ServiceUnit(FactBase[UnitState]):
    """What stands in /etc/systemd/system for the service, and what systemd made of it."""

    @staticmethod
    def default() -> UnitState:
        return UnitState()

    def command(self) -> str:
        found = " ".join(f"{folder}/*.conf" for folder in FOLDERS)
        return (
            f"systemctl show {LIVE_UNIT} -p LoadState -p DropInPaths; "
            f'echo "Link=$(readlink {UNIT_LINK})"; echo "Wants=$(readlink {WANTS_LINK})"; '
            f"if [ -f {UNIT_LINK} ] && [ ! -L {UNIT_LINK} ]; then echo Own=yes; fi; "
            f'for f in {found}; do if [ -e "$f" ]; then echo "DropIn=$f"; fi; done; true'
        )

    def process(self, output: list[str]) -> UnitState:
        pairs = [line.split("=", 1) for line in output if "=" in line]
        values = {key: value for key, value in pairs}
        drop_ins = [value for key, value in pairs if key == "DropIn"]
        drop_ins += [each for each in _words(values.get("DropInPaths", "")) if DROP_INS in each]
        return UnitState(
            link=values.get("Link", ""),
            wants=values.get("Wants", ""),
            own_file=values.get("Own") == "yes",
            loaded=values.get("LoadState") == "loaded",
            drop_ins=tuple(sorted(set(drop_ins))),
        )


def _words(text: str) -> list[str]:
    """Paths that systemd prints with spaces between."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
