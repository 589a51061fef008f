"""What a host needs to build: compilers, a cmake that is really cmake, CUDA or Vulkan."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.cuda import table
from llamarig.cuda.table import Distribution
from llamarig.settings import Settings
from llamarig.tasks import site
from llamarig.tasks.cuda import archive, check, choice, driver, nvidia, power, pypi, upgrades
from llamarig.tasks.cuda.choice import Choice
from llamarig.tasks.facts.compilers import Compilers
from llamarig.tasks.facts.driver import NvidiaDriver
from llamarig.tasks.facts.machine import Machine, MachineState
from llamarig.tasks.facts.program import Program
from llamarig.tasks.findings.shims import OLDEST_CMAKE
from llamarig.tasks.operations import apt_packages, refusal, text_file
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import refuse, refused, step

PACKAGES = [
    "ca-certificates",
    "ccache",
    "cmake",
    "curl",
    "g++",
    "gcc",
    "git",
    "libgomp1",
    "libssl-dev",
    "ninja-build",
    "pkg-config",
    "python3",
    "python3-pip",
    "python3-venv",
]
# Tried on Debian 13. The last is for the loader: it also brings a software device.
VULKAN_PACKAGES = ["libvulkan-dev", "glslc", "spirv-headers", "mesa-vulkan-drivers"]
DISTRO_TOOLKIT = "nvidia-cuda-toolkit"
# Debian's own path, whatever the operator's login shell finds first: an asdf or mise shim called
# cmake exits 126 when no version is set, and the build stops there.
CMAKE = "/usr/bin/cmake"


def packages(names: list[str], title: str) -> None:
    """Install what is missing, and write down what that was."""
    apt_packages.have(name=title, names=names, _env={"DEBIAN_FRONTEND": "noninteractive"})


@step("Toolchain")
def install() -> None:
    """Packages of the distribution, the device's own tools; then each is asked who it is."""
    settings = site.settings()
    if settings.backend == "cuda":
        cuda(settings)
        if refused(host.name):
            return
    elif settings.backend == "vulkan":
        packages([*PACKAGES, *VULKAN_PACKAGES], "Install the compilers and Vulkan")
    else:
        packages(PACKAGES, "Install the compilers")
    verify(name="Check the tools", settings=settings)


def cuda(settings: Settings) -> None:
    """The toolkit from the source that fits, its g++, and what keeps both as they are."""
    chosen, machine = choice.current(settings), host.get_fact(Machine)
    if not isinstance(chosen, Choice) or machine is None:
        line = chosen if isinstance(chosen, str) else "the host did not say what it is"
        refuse(host.name, [line])
        refusal.refuse_host(name="Leave the host alone", lines=[line])
        return
    report.record(host.name, cuda=asdict(chosen))
    packages([*PACKAGES, chosen.compiler_package], "Install the compilers")
    here = choice.distribution(machine, host.get_fact(Compilers))
    drive = settings.driver == "install" and not host.get_fact(NvidiaDriver).loaded
    sources(settings, chosen, here, machine, drive=drive)
    toolkit(settings, chosen, here)
    if drive:
        packages(driver.packages(here, machine, settings), "Install NVIDIA's driver")
        driver.load(name="Load NVIDIA's driver", settings=settings)
    power.limits(name="Set the card's limits", settings=settings)
    title = f"Compile a file with CUDA {chosen.version}"
    check.compiles(name=title, choice=chosen, architecture=settings.cuda_architecture)


def sources(
    settings: Settings, chosen: Choice, here: Distribution, machine: MachineState, *, drive: bool
) -> None:
    """What apt has to know before toolkit and driver can be installed."""
    theirs = settings.cuda_source == "nvidia"
    if chosen.source == "nvidia" or (drive and theirs):
        nvidia.trust(name="Trust NVIDIA's repository", here=here, settings=settings)
    wanted = list(here.components) if chosen.source == "distro" else []
    if drive and not theirs and here.driver:
        wanted += [name for name in here.driver.components if name not in wanted]
    if wanted:
        title = f"Open the archive's {', '.join(wanted)}"
        archive.components(name=title, machine=machine, wanted=wanted)


def toolkit(settings: Settings, chosen: Choice, here: Distribution) -> None:
    """The toolkit itself; held, if it is NVIDIA's."""
    version, held = chosen.version, settings.hold_cuda_packages
    names = table.nvidia_packages(table.parse(version)) if chosen.source == "nvidia" else []
    if names:
        packages(names, f"Install CUDA {version} from NVIDIA")
    elif chosen.source == "distro":
        packages([DISTRO_TOOLKIT], f"Install CUDA {version} from {here}")
    elif chosen.source == "pypi":
        pypi.install(name=f"Install CUDA {version} from PyPI", choice=chosen)
    upgrades.hold(name="Hold the CUDA packages", installed=names, wanted=held)
    text_file.content(
        name="Keep unattended-upgrades from NVIDIA's packages",
        path=upgrades.UNATTENDED,
        text=upgrades.UNATTENDED_TEXT if held else None,
    )


@operation()
def verify(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Fail where cmake is no real cmake. Changes nothing."""
    if not state.is_executing:
        return
    cmake = host.get_fact(Program, path=CMAKE)
    if cmake.version < OLDEST_CMAKE:
        yield failure(f"{CMAKE}: {cmake.text or 'does not run'}; cmake 3.18 or later needed")
