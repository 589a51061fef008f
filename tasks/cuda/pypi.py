"""NVIDIA's wheels from PyPI, laid out as a toolkit in a folder of our own.

Pinned by version alone: nobody has published their hashes, and none is made up here.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig.cuda import table
from llamarig.cuda.table import Version
from llamarig.paths import CUDA
from llamarig.tasks.cuda.nvidia import script
from llamarig.tasks.cuda.sources import Choice
from llamarig.tasks.facts.cuda_libraries import CudaLibraries
from llamarig.tasks.facts.cuda_toolkits import CudaToolkits
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure

# 528 MB to download, 841 MB installed, measured; an hour is for slow lines.
WHEELS_SECONDS = 3600
LAYOUT_SECONDS = 300


def spec(version: str) -> jobs.Spec:
    """The job: the wheels into a folder beside the place, links and stub, then its name."""
    symbols = " ".join(table.driver_symbols())
    layout = script("cuda-layout.sh", _partial(version), version, symbols)
    title = f"CUDA {version} from PyPI"
    return _job(version, f"cuda-{version}", title, table.wheels(), {"layout": layout})


def libraries(version: str) -> jobs.Spec:
    """The same with the shared libraries alone, for a release that was built elsewhere."""
    title = f"CUDA {version}'s libraries from PyPI"
    return _job(version, f"cuda-libraries-{version}", title, table.library_wheels(), {})


def _partial(version: str) -> str:
    return f"{CUDA}/{version}.partial"


def _job(
    version: str, name: str, title: str, known: dict[Version, list[str]],
    laid_out: dict[str, list[str]],
) -> jobs.Spec:  # fmt: skip
    """laid_out: stages between the wheels and their name."""
    partial, folder = _partial(version), f"{CUDA}/{version}"
    temporary = f"{folder}.tmp"
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
    wheels = [*pip, "--target", partial, *known[table.parse(version)]]
    place = script("cuda-place.sh", partial, folder)
    stages = {**laid_out, "place": place}
    return jobs.Spec(
        name=name,
        title=title,
        unit="steps",
        stages=[
            jobs.Stage("clean", ["/bin/sh", "-euc", clean, "sh", partial, temporary], 120, env),
            jobs.Stage("wheels", wheels, WHEELS_SECONDS, env),
            *(jobs.Stage(stage, argv, LAYOUT_SECONDS, env) for stage, argv in stages.items()),
            jobs.Stage("tidy", ["/bin/rm", "-rf", temporary], 120, env),
        ],
        nice=5,
    )


@operation()
def install(choice: Choice, all_of_it: bool) -> Generator[PyinfraCommand, None, None]:
    """Have the toolkit, or its libraries; fetched in a detached job where they are missing."""
    toolkits = host.get_fact(CudaToolkits, home=None)
    if any(each.home == choice.home and each.complete for each in toolkits):
        return
    if not all_of_it and host.get_fact(CudaLibraries, home=choice.home):
        return
    job = spec(choice.version) if all_of_it else libraries(choice.version)
    yield from jobs.start(job)
    if state.is_executing and (reason := jobs.wait(job, WHEELS_SECONDS + 2 * LAYOUT_SECONDS)):
        yield failure(reason)
