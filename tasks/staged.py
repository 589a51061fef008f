"""What is staged on a host, told to a rollout."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig import report
from llamarig.settings import Settings
from llamarig.tasks import proving
from llamarig.tasks.candidate import candidate as find_candidate


@operation()
def tell(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Put into the report which generation the settings ask for (`staged`), and whether it serves
    by right already (`settled`), so that there is nothing to prove."""
    known, candidate = find_candidate(settings)
    if candidate is not None:
        done = proving.settled(known, candidate, settings)
        report.record(host.name, staged=candidate.number, settled=done)
        host.noop(f"generation {candidate.number} is staged")
    yield from ()
