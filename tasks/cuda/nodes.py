"""The card's device nodes, waited for by a unit of its own before the server starts.

systemd makes the list of devices that a unit may use when that unit starts, so the waiting can't
be done in the server's own.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib.resources import files as package_files

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.paths import CURRENT, LIB, LIVE_UNIT, PREVIOUS
from llamarig.settings import Settings
from llamarig.tasks import template
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.operations import text_file

UNIT = "llamarig-card.service"
PATH = f"/etc/systemd/system/{UNIT}"
SCRIPT = f"{LIB}/await-card.sh"


def unit(settings: Settings) -> str | None:
    """The unit's text; None: a server for the CPU waits for nothing."""
    if settings.backend == "cpu":
        return None
    # Vulkan counts its devices by itself, and not all of them have a node.
    by_index = settings.gpu if settings.backend == "cuda" else None
    cards = by_index + 1 if isinstance(by_index, int) else 1
    return template.compiled(UNIT).render(backend=settings.backend, cards=cards, script=SCRIPT)


def script() -> str:
    return package_files("llamarig.templates").joinpath("await-card.sh").read_text()


def _awaiting() -> bool:
    """Whether what serves, or what a rollback would serve, wants the unit."""
    for generation in (CURRENT, PREVIOUS):
        if UNIT in (host.get_fact(TextFile, path=f"{generation}/{LIVE_UNIT}") or ""):
            return True
    return False


@operation()
def awaited(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have the unit and its script; without a card's backend neither, once nothing wants them.
    Nothing is started: the server's start does that."""
    wanted, found = unit(settings), host.get_fact(TextFile, path=PATH)
    if wanted is None:
        if found is None:
            host.noop("no unit waits for a card")
        elif _awaiting():
            host.noop(f"{UNIT} stays while what serves or served before wants it")
        else:
            yield from _removed()
        return
    if found != wanted.rstrip("\n"):
        yield from text_file.put(PATH, wanted)
        yield StringCommand("systemctl daemon-reload")
    if host.get_fact(TextFile, path=SCRIPT) != script().rstrip("\n"):
        yield StringCommand(f"install -d -m 755 {LIB}")
        yield from text_file.put(SCRIPT, script())


def _removed() -> Generator[PyinfraCommand, None, None]:
    yield StringCommand(f"systemctl reset-failed {UNIT} 2>/dev/null; rm -f {PATH} {SCRIPT}")
    yield StringCommand("systemctl daemon-reload")


@operation()
def gone() -> Generator[PyinfraCommand, None, None]:
    """Neither unit nor script, whatever serves: for a host that llamarig leaves."""
    if host.get_fact(TextFile, path=PATH) is None and host.get_fact(TextFile, path=SCRIPT) is None:
        host.noop("no unit waits for a card")
        return
    yield from _removed()
