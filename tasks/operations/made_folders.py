"""Folders outside of llamarig's own: written down before they are made."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.paths import FOLDERS
from llamarig.tasks.facts.folders import MissingFolders
from llamarig.tasks.operations import records


@operation()
def noted(paths: Sequence[str]) -> Generator[PyinfraCommand, None, None]:
    """Write down those of these folders, and of the ones above them, that are not there yet."""
    missing = host.get_fact(MissingFolders, paths=tuple(paths))
    if missing:
        yield records.noted(FOLDERS, missing)
    else:
        host.noop("the folders are there")
