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
from llamarig.tasks import fan_out, release_hosts, sharing, site
from llamarig.tasks.cuda import archive, check, choice, driver, nvidia, power, pypi, upgrades
from llamarig.tasks.cuda.choice import Choice
from llamarig.tasks.facts.compilers import Compilers
from llamarig.tasks.facts.driver import NvidiaDriver
from llamarig.tasks.facts.machine import Machine, MachineState
from llamarig.tasks.facts.program import Program
from llamarig.tasks.findings.shims import OLDEST_CMAKE
from llamarig.tasks.llama_cpp_build import CMAKE
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
# What a release needs that was built elsewhere; openssl for its library, whose name differs.
RUNNING = ["ca-certificates", "curl", "libgomp1", "openssl", "python3"]
VULKAN_RUNNING = ["libvulkan1", "mesa-vulkan-drivers"]
# Tried on Debian 13. The last is for the loader: it also brings a software device.
VULKAN_PACKAGES = ["libvulkan-dev", "glslc", "spirv-headers", "mesa-vulkan-drivers"]
DISTRO_TOOLKIT = "nvidia-cuda-toolkit"


def packages(names: list[str], title: str) -> None:
    """Install what is missing, and write down what that was."""
    apt_packages.have(name=title, names=names, _env={"DEBIAN_FRONTEND": "noninteractive"})


@step("Toolchain")
def install() -> None:
    """Packages of the distribution, the device's own tools; then each is asked who it is."""
    settings = site.settings()
    release_hosts.lack(settings)
    if settings.backend == "cuda":
        cuda(settings)
        if refused(host.name):
            return
    else:
        vulkan = " and Vulkan" if settings.backend == "vulkan" else ""
        compilers(
            name=f"Install the compilers{vulkan}", settings=settings,
            _env={"DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
    verify(name="Check the tools", settings=settings)


@operation()
def compilers(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """What building needs; only what running needs, where the release comes from another host."""
    building, running = needed(settings)
    builds = release_hosts.builds(settings)
    yield from apt_packages.have._inner(names=building if builds else running)


def for_building(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """What building needs, on a host that builds after all (part of an operation). A toolkit is on
    every host for CUDA."""
    if settings.backend != "cuda":
        yield from apt_packages.have._inner(names=needed(settings)[0])
        yield from _verify()


def needed(settings: Settings) -> tuple[list[str], list[str]]:
    """Packages for building, and for running what was built elsewhere, without CUDA's own."""
    vulkan = settings.backend == "vulkan"
    more = [sharing.PACKAGE] if fan_out.applies(settings) else []
    building = [*PACKAGES, *(VULKAN_PACKAGES if vulkan else []), *more]
    return building, [*RUNNING, *(VULKAN_RUNNING if vulkan else []), *more]


def cuda(settings: Settings) -> None:
    """The toolkit from the source that fits, its g++, and what keeps both as they are."""
    chosen, machine = choice.current(settings), host.get_fact(Machine)
    if not isinstance(chosen, Choice) or machine is None:
        line = chosen if isinstance(chosen, str) else "the host did not say what it is"
        refuse(host.name, [line])
        refusal.refuse_host(name="Leave the host alone", lines=[line])
        return
    report.record(host.name, cuda=asdict(chosen))
    packages([*needed(settings)[0], chosen.compiler_package], "Install the compilers")
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
    if not state.is_executing or not release_hosts.builds(settings):
        return
    yield from _verify()


def _verify() -> Generator[PyinfraCommand, None, None]:
    cmake = host.get_fact(Program, path=CMAKE)
    if cmake.version < OLDEST_CMAKE:
        yield failure(f"{CMAKE}: {cmake.text or 'does not run'}; cmake 3.18 or later needed")
