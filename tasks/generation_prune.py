"""Old generations, and the releases that only they used."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.paths import GENERATIONS, RELEASES
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState

# Besides the live one and the one before it.
KEPT = 3


def surplus(known: GenerationState) -> list[Generation]:
    """What may go: all but the newest three, the live one and what was live before it."""
    named = (known.current, known.previous)
    others = [each for each in known.all if each.number not in named]
    return others[:-KEPT]


@operation()
def prune() -> Generator[PyinfraCommand, None, None]:
    """Remove them. A release that a kept generation links to stays."""
    known: GenerationState = host.get_fact(Generations)
    gone = [] if known.unfinished else surplus(known)
    if not gone:
        host.noop(f"{len(known.all)} generation(s), none to remove")
        return
    numbers = {each.number for each in gone}
    used = {each.manifest["release"] for each in known.all if each.number not in numbers}
    # Renamed first: a folder half gone must not be taken for a generation.
    folders = [f"{GENERATIONS}/{each.number}" for each in gone]
    folders += [f"{RELEASES}/{name}" for name in {each.manifest["release"] for each in gone} - used]
    for folder in sorted(folders):
        place = shlex.quote(folder)
        yield StringCommand(
            f"if [ -e {place} ]; then rm -rf {place}.gone && mv -T {place} {place}.gone && "
            f"rm -rf {place}.gone; fi"
        )
