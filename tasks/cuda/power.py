"""The card's power limit and persistence mode, set at every boot by a unit of its own."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.settings import Settings
from llamarig.tasks import template
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.operations import text_file

UNIT = "llamarig-gpu.service"
PATH = f"/etc/systemd/system/{UNIT}"


def unit(settings: Settings) -> str | None:
    """The unit's text; None: nothing is to be set."""
    if settings.gpu_power_limit is None and not settings.gpu_persistence_mode:
        return None
    return template.compiled(UNIT).render(
        card="" if settings.gpu is None else f" -i {settings.gpu}",
        watts=settings.gpu_power_limit,
        persistence=settings.gpu_persistence_mode,
    )


@operation()
def limits(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have the unit and its effect, or neither. A lifted limit lasts until the next boot."""
    wanted, found = unit(settings), host.get_fact(TextFile, path=PATH)
    if wanted is None:
        if found is not None:
            yield StringCommand(f"systemctl disable --now {UNIT}; rm -f {PATH}")
            yield StringCommand("systemctl daemon-reload")
        return
    if found == wanted.rstrip("\n"):
        return
    yield from text_file.put(PATH, wanted)
    yield StringCommand("systemctl daemon-reload")
    yield StringCommand(f"systemctl enable {UNIT}")
    yield StringCommand(f"systemctl restart {UNIT}")
