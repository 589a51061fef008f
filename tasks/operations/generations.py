"""Generations on a host: staged whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Generator

from pyinfra.api.command import FileUploadCommand, PyinfraCommand, StringCommand

from llamarig.paths import GENERATIONS, STAGING
from llamarig.tasks.generation import Rendered


def put(rendered: Rendered) -> Generator[PyinfraCommand, None, None]:
    """Unpack into a folder beside the place, sync, then give it its name in one step."""
    place = f"{GENERATIONS}/{rendered.number}"
    archive = f"{STAGING}/{rendered.number}.tar"
    yield StringCommand(f"install -d -m 755 {GENERATIONS} {STAGING}")
    yield FileUploadCommand(io.BytesIO(rendered.archive()), archive)
    yield StringCommand(
        f"rm -rf {place}.partial && install -d -m 755 {place}.partial && "
        f"tar -xf {archive} --no-same-owner -C {place}.partial && rm {archive} && "
        f"sync -f {place}.partial && mv -T {place}.partial {place}"
    )
