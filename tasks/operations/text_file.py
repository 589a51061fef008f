"""Small text files that are ours alone: written when they differ, removed when unwanted."""

from __future__ import annotations

import io
from collections.abc import Generator

from pyinfra.api.command import FileUploadCommand, PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.tasks import plan_diff
from llamarig.tasks.facts.text_file import TextFile


def put(path: str, text: str) -> Generator[PyinfraCommand, None, None]:
    """Have `text` in the file, mode 0644 (part of an operation). Nothing where it is there."""
    before = host.get_fact(TextFile, path=path)
    if before == text.rstrip("\n"):
        return
    plan_diff.file(path, before, text)
    yield FileUploadCommand(io.StringIO(text), path)
    yield StringCommand(f"chmod 644 {path}")


@operation()
def content(path: str, text: str | None) -> Generator[PyinfraCommand, None, None]:
    """The file holds `text`; None: there is no such file."""
    if text is not None:
        yield from put(path, text)
    elif (before := host.get_fact(TextFile, path=path)) is not None:
        plan_diff.file(path, before, None)
        yield StringCommand(f"rm -f {path}")
