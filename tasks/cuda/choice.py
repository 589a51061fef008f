"""Which CUDA toolkit a host builds with, and which g++ its nvcc gets.

`auto` takes the first that fits of: that of the live release, a toolkit that is present, NVIDIA's
repository, PyPI's wheels, the distribution's package. A release of llama.cpp is named by the
toolkit's version, its folder and the compiler, so these three must come out the same on the first
run, which installs the toolkit or its libraries, and on every later one, which finds them: the
folder is known beforehand, and the compiler follows from the distribution and the version, never
from what g++ happens to be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pyinfra.context import host

from llamarig.cuda import table
from llamarig.cuda.table import Distribution
from llamarig.paths import CUDA
from llamarig.settings import Settings
from llamarig.tasks.cuda import advice
from llamarig.tasks.cuda.auto import auto
from llamarig.tasks.cuda.mending import mended
from llamarig.tasks.cuda.sources import DISTRO_HOME, LIVE, LOOK, NAMES, Asked, Choice, Live, Unfit
from llamarig.tasks.facts.compilers import Compilers, CompilerState
from llamarig.tasks.facts.cuda_libraries import LiveToolkit
from llamarig.tasks.facts.cuda_toolkits import CudaToolkits, Toolkit
from llamarig.tasks.facts.driver import NvidiaDriver
from llamarig.tasks.facts.machine import Machine, MachineState
from llamarig.tasks.facts.nvidia_repository import NvidiaRepository

__all__ = [
    "Choice",
    "Unfit",
    "choose",
    "current",
    "distribution",
    "driver_branch",
    "rpath",
    "select",
]


def distribution(machine: MachineState, compilers: CompilerState) -> Distribution:
    """What is known of a host's distribution; of an unknown one only the g++ it has."""
    known = table.distribution(machine.distribution, machine.version)
    gcc = tuple(sorted(compilers.gcc, reverse=True))
    return known or Distribution(machine.distribution, machine.version, gcc)


def choose(
    settings: Settings,
    machine: MachineState,
    compilers: CompilerState,
    toolkits: Sequence[Toolkit],
    nvidia_reachable: bool,
    driver: int = 0,
    coming: bool = False,
    live: Live | None = None,
) -> Choice | str:
    """The toolkit to build with, or the one line that says why none fits. Pure.

    nvidia_reachable matters to auto alone: who asks for the repository by name gets its errors.
    driver: the branch (570) that the host has or, coming, is about to get; 0: not judged. live:
    version and folder of the toolkit of the live release, if its libraries are there.
    """
    found = select(settings, machine, compilers, toolkits, nvidia_reachable, driver, coming, live)
    return found.line() if isinstance(found, Unfit) else found


def select(
    settings: Settings,
    machine: MachineState,
    compilers: CompilerState,
    toolkits: Sequence[Toolkit],
    nvidia_reachable: bool,
    driver: int = 0,
    coming: bool = False,
    live: Live | None = None,
) -> Choice | Unfit:
    """As `choose`, but with the topic, what was found and what mends it apart."""
    here = distribution(machine, compilers)
    asked = Asked(settings, here, machine.glibc, toolkits, driver, coming, live)
    if settings.cuda_source == "auto":
        return auto(asked, nvidia_reachable)
    found = LOOK[settings.cuda_source](asked)
    if isinstance(found, Unfit):
        found = mended(asked, found)
        told = f'cuda_source "{settings.cuda_source}", {NAMES[settings.cuda_source]}: {found.found}'
        return replace(found, found=told)
    return replace(found, why=f'cuda_source is "{settings.cuda_source}"')


def driver_branch(settings: Settings, loaded: str, here: Distribution) -> int:
    """570 of a loaded "570.86.10", else of the driver that is to be installed; 0: not known.

    NVIDIA's own is the newest, which serves every release.
    """
    if found := re.match(r"\d+", loaded):
        return int(found[0])
    comes = settings.driver == "install" and not advice.unserved(settings, here)
    own = comes and settings.cuda_source != "nvidia"
    return here.driver.branch if own and here.driver else 0


def rpath(choice: Choice) -> str | None:
    """The folder of the toolkit's libraries that a binary has to name; None: /usr's are found.

    ldconfig knows of NVIDIA's packages, but of no wheel and of no toolkit unpacked by hand.
    """
    if choice.home == DISTRO_HOME:
        return None
    return f"{choice.home}/lib" if choice.home.startswith(f"{CUDA}/") else f"{choice.home}/lib64"


_current: dict[str, Choice] = {}


def current(settings: Settings) -> Choice | str | None:
    """The current pyinfra host's choice, or why there is none; None: the backend is not CUDA.

    Kept for the run: the toolkit that this run installs is the one that it builds with, and the
    repository must not answer one step and be silent at the next.
    """
    if settings.backend != "cuda":
        return None
    if known := _current.get(host.name):
        return known
    machine = host.get_fact(Machine)
    if machine is None:
        return "cuda_source: the host did not say what it is; is it a Debian or Ubuntu machine?"
    compilers: CompilerState = host.get_fact(Compilers)
    toolkits = host.get_fact(CudaToolkits, home=settings.cuda_home)
    here = distribution(machine, compilers)
    loaded = host.get_fact(NvidiaDriver).loaded
    driver = driver_branch(settings, loaded, here)
    live = host.get_fact(LiveToolkit)
    found = choose(settings, machine, compilers, toolkits, True, driver, not loaded, live)
    nvidias = isinstance(found, Choice) and found.source == "nvidia" and found.why != LIVE
    if settings.cuda_source == "auto" and nvidias:
        # Asked only where the answer decides.
        reachable = host.get_fact(NvidiaRepository, url=here.keyring_url)
        found = choose(settings, machine, compilers, toolkits, reachable, driver, not loaded, live)
    if isinstance(found, Choice):
        _current[host.name] = found
    return found
