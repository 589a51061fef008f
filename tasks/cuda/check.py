"""A file is compiled before a toolkit is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig.paths import STATE
from llamarig.tasks.cuda.nvidia import script
from llamarig.tasks.cuda.sources import Choice
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure

COMPILE_SECONDS = 300


def stamp(choice: Choice, architecture: int) -> str:
    """The file that says which toolkit, compiler and architecture were seen to work."""
    what = f"{choice.version} {choice.home} {choice.compiler} {architecture}"
    return f"{STATE}/cuda-checked-{hashlib.sha256(what.encode()).hexdigest()[:10]}"


def spec(choice: Choice, architecture: int) -> jobs.Spec:
    path = stamp(choice, architecture)
    env = {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": f"{choice.home}/bin:/usr/bin:/bin",
    }
    argv = script(
        "cuda-check.sh", choice.nvcc, choice.compiler, str(architecture), choice.version, path
    )
    return jobs.Spec(
        name=f"cuda-check-{path.rpartition('-')[2]}",
        title=f"compile a file with CUDA {choice.version}",
        unit="steps",
        stages=[jobs.Stage("compile", argv, COMPILE_SECONDS, env)],
    )


@operation()
def compiles(choice: Choice, architecture: int) -> Generator[PyinfraCommand, None, None]:
    """See a small file compiled, once for this toolkit, compiler and architecture."""
    if host.get_fact(TextFile, path=stamp(choice, architecture)) is not None:
        return
    job = spec(choice, architecture)
    yield from jobs.start(job)
    if state.is_executing and (reason := jobs.wait(job, COMPILE_SECONDS)):
        yield failure(reason)
