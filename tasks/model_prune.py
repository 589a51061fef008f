"""Model files that nothing on a host needs: `llamarig models prune`, or
`pyinfra INVENTORY llamarig.tasks.model_prune.look` (`remove` takes them away).
"""

from __future__ import annotations

import shlex
from collections.abc import Generator
from dataclasses import asdict

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.settings import Settings
from llamarig.tasks import model_source, model_verify, site
from llamarig.tasks.facts.model_store import ModelStore
from llamarig.tasks.model_waste import Waste, unused
from llamarig.tasks.step import refused, step


def look() -> None:
    """List what nothing needs. Reads, never changes, takes no lock."""
    _look(False)


def look_all() -> None:
    """The same, of all repositories."""
    _look(True)


def remove() -> None:
    """Remove what nothing needs."""
    model_verify.begin()
    _remove(False)


def remove_all() -> None:
    """The same, of all repositories."""
    model_verify.begin()
    _remove(True)


def _look(everything: bool) -> None:
    @step("Model")
    def story() -> None:
        settings = model_verify.arrive_for_file()
        if not refused(host.name):
            _report(settings, _waste(settings, everything), removed=False)

    story()


def _remove(everything: bool) -> None:
    @step("Model")
    def story() -> None:
        prune(name="Remove unused models", settings=site.settings(), everything=everything)

    story()


def _waste(settings: Settings, everything: bool) -> list[Waste]:
    # A step's own arguments were fixed before sudo was arranged, so sudo is said here.
    store = host.get_fact(ModelStore, hf_home=settings.hf_home, _sudo=bool(host.data.get("_sudo")))
    if not store:
        return []
    pinned = model_source.pins(settings)["sha256"]
    own = model_source.record_path(settings)
    return unused(store, own, everything, str(pinned) if pinned else None)


def _report(settings: Settings, waste: list[Waste], *, removed: bool) -> None:
    listed = [asdict(each) for each in waste]
    report.record(
        host.name, prune={"hf_home": settings.hf_home, "removed": removed, "files": listed}
    )


@operation()
def prune(settings: Settings, everything: bool) -> Generator[PyinfraCommand, None, None]:
    """Remove what nothing needs, and the folders that this leaves empty."""
    waste = _waste(settings, everything)
    if not waste:
        if state.is_executing:
            _report(settings, [], removed=True)
        host.noop("nothing that could be removed")
        return
    for each in waste:
        yield StringCommand(shlex.join(["rm", "-rf", "--", *each.remove]))
    for folder in sorted({each.folder for each in waste if each.folder}):
        yield StringCommand(tidied(folder))
    if state.is_executing:
        _report(settings, waste, removed=True)


def tidied(folder: str) -> str:
    """The shell line that removes a repository's empty folders, the refs that name nothing any
    more, and all of it with its last blob."""
    place = shlex.quote(folder)
    return (
        f"cd {place} && find blobs snapshots -depth -type d -empty -delete 2>/dev/null; "
        'for ref in refs/*; do [ -d "snapshots/$(cat "$ref" 2>/dev/null)" ] || rm -f "$ref"; done; '
        f"if [ ! -e blobs ]; then rm -rf refs; cd / && rmdir {place} 2>/dev/null; fi; true"
    )
