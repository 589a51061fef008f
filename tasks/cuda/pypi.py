"""NVIDIA's wheels from PyPI, laid out as a toolkit in a folder of our own.

Pinned by version alone: nobody has published their hashes, and none is made up here.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig.cuda import table
from llamarig.paths import CUDA
from llamarig.tasks.cuda.nvidia import script
from llamarig.tasks.cuda.sources import Choice
from llamarig.tasks.facts.cuda_toolkits import CudaToolkits
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure

# 528 MB to download, 841 MB installed, measured; an hour is for slow lines.
WHEELS_SECONDS = 3600
LAYOUT_SECONDS = 300


def spec(version: str) -> jobs.Spec:
    """The job: the wheels into a folder beside the place, links and stub, then its name."""
    folder = f"{CUDA}/{version}"
    partial, temporary = f"{folder}.partial", f"{folder}.tmp"
    wheels = table.wheels()[table.parse(version)]
    env = {
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        # pip unpacks there first, and /tmp may be memory.
        "TMPDIR": temporary,
    }
    clean = 'rm -rf "$1" "$2"; mkdir -p "$1" "$2"'
    pip = ["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-input", "--no-cache-dir", "--no-deps", "--only-binary", ":all:"]
    symbols = " ".join(table.driver_symbols())
    layout = script("cuda-layout.sh", partial, folder, version, symbols)
    return jobs.Spec(
        name=f"cuda-{version}",
        title=f"CUDA {version} from PyPI",
        unit="steps",
        stages=[
            jobs.Stage("clean", ["/bin/sh", "-euc", clean, "sh", partial, temporary], 120, env),
            jobs.Stage("wheels", [*pip, "--target", partial, *wheels], WHEELS_SECONDS, env),
            jobs.Stage("layout", layout, LAYOUT_SECONDS, env),
            jobs.Stage("tidy", ["/bin/rm", "-rf", temporary], 120, env),
        ],
        nice=5,
    )


@operation()
def install(choice: Choice) -> Generator[PyinfraCommand, None, None]:
    """Have the toolkit; fetch it in a detached job where it is missing."""
    toolkits = host.get_fact(CudaToolkits, home=None)
    if any(each.home == choice.home and each.complete for each in toolkits):
        return
    job = spec(choice.version)
    yield from jobs.start(job)
    if state.is_executing and (reason := jobs.wait(job, WHEELS_SECONDS + LAYOUT_SECONDS)):
        yield failure(reason)
