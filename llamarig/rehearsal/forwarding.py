"""ip_forward: switched on for labs, given back as it was by the last of them.

Kept under /run, as the setting itself is: both are gone after a reboot. A lab that crashed has
no interface any more and is not counted.
"""

from __future__ import annotations

from pathlib import Path

from llamarig.cache import locked
from llamarig.errors import UserError
from llamarig.rehearsal import network

SWITCH = Path("/proc/sys/net/ipv4/ip_forward")
FOLDER = Path("/run/llamarig")
LINKS = Path("/sys/class/net")


def acquire(lab: str) -> None:
    """Let the machine forward for this lab, remembering how it was before any lab."""
    with locked(FOLDER.with_name("llamarig.lock"), "the machine's ip_forward"):
        users = FOLDER / "forwarding"
        users.mkdir(parents=True, exist_ok=True)
        before = FOLDER / "ip_forward.before"
        if not before.exists():
            before.write_text(SWITCH.read_text())
        (users / lab).touch()
        _set("1\n")


def release(lab: str) -> None:
    """Give ip_forward back unless another lab still needs it."""
    with locked(FOLDER.with_name("llamarig.lock"), "the machine's ip_forward"):
        users = FOLDER / "forwarding"
        (users / lab).unlink(missing_ok=True)
        for other in list(users.glob("*")):
            if (LINKS / network.interface(other.name)).exists():
                return
            other.unlink()
        before = FOLDER / "ip_forward.before"
        if before.exists():
            _set(before.read_text())
            before.unlink()
        if users.exists():
            users.rmdir()
            FOLDER.rmdir()


def _set(value: str) -> None:
    if SWITCH.read_text() == value:
        return
    try:
        SWITCH.write_text(value)
    except OSError as error:
        raise UserError(f"{SWITCH} cannot be set to {value.strip()}: {error.strerror}") from None


def held(lab: str) -> bool:
    return (FOLDER / "forwarding" / lab).exists()
