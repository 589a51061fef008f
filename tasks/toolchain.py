"""What a host needs to build: compilers, a cmake that is really cmake, CUDA or Vulkan."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.cuda.table import Distribution
from llamarig.settings import Settings
from llamarig.tasks import fan_out, release_hosts, sharing, site
from llamarig.tasks.cuda import archive, choice, driver, nvidia, power, toolkit, upgrades
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

PIP = "python3-pip"
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
    PIP,
    "python3-venv",
]
# What a release needs that was built elsewhere; openssl for its library, whose name differs.
RUNNING = ["ca-certificates", "curl", "libgomp1", "openssl", "python3"]
VULKAN_RUNNING = ["libvulkan1", "mesa-vulkan-drivers"]
# Tried on Debian 13. The last is for the loader: it also brings a software device.
VULKAN_PACKAGES = ["libvulkan-dev", "glslc", "spirv-headers", "mesa-vulkan-drivers"]


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
def compilers(
    settings: Settings, chosen: Choice | None = None
) -> Generator[PyinfraCommand, None, None]:
    """What building needs; only what running needs, where the release comes from another host.

    chosen: the toolkit, for CUDA.
    """
    building, running = needed(settings, chosen)
    names = building if release_hosts.gets_tools(settings) else running
    yield from apt_packages.have._inner(names=names)


def for_building(
    settings: Settings, chosen: Choice | None
) -> Generator[PyinfraCommand, None, None]:
    """What building needs, on a host that builds after all (part of an operation)."""
    yield from apt_packages.have._inner(names=needed(settings, chosen)[0])
    machine = host.get_fact(Machine)
    if chosen and machine is None:
        yield failure("the host did not say what it is")
    elif chosen and machine:
        yield from toolkit.for_building(settings, chosen, _distribution(machine))
    yield from _verify()


def needed(settings: Settings, chosen: Choice | None = None) -> tuple[list[str], list[str]]:
    """Packages for building, and for running what was built elsewhere, without CUDA's own."""
    vulkan = settings.backend == "vulkan"
    more = [sharing.PACKAGE] if fan_out.applies(settings) else []
    building = [*PACKAGES, *(VULKAN_PACKAGES if vulkan else []), *more]
    running = [*RUNNING, *(VULKAN_RUNNING if vulkan else []), *more]
    if chosen:
        building.append(chosen.compiler_package)
        running += [PIP] if chosen.source == "pypi" else []
    return building, running


def _distribution(machine: MachineState) -> Distribution:
    return choice.distribution(machine, host.get_fact(Compilers))


def cuda(settings: Settings) -> None:
    """The toolkit from the source that fits, its g++, and what keeps both as they are."""
    chosen, machine = choice.current(settings), host.get_fact(Machine)
    if not isinstance(chosen, Choice) or machine is None:
        line = chosen if isinstance(chosen, str) else "the host did not say what it is"
        refuse(host.name, [line])
        refusal.refuse_host(name="Leave the host alone", lines=[line])
        return
    report.record(host.name, cuda=asdict(chosen))
    compilers(
        name="Install the compilers", settings=settings, chosen=chosen,
        _env={"DEBIAN_FRONTEND": "noninteractive"},
    )  # fmt: skip
    here = _distribution(machine)
    drive = settings.driver == "install" and not host.get_fact(NvidiaDriver).loaded
    sources(settings, chosen, here, machine, drive=drive)
    kit(settings, chosen, here)
    if drive:
        packages(driver.packages(here, machine, settings), "Install NVIDIA's driver")
        driver.load(name="Load NVIDIA's driver", settings=settings)
    power.limits(name="Set the card's limits", settings=settings)
    title = f"Compile a file with CUDA {chosen.version}"
    toolkit.compiles(name=title, settings=settings, chosen=chosen)


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


def kit(settings: Settings, chosen: Choice, here: Distribution) -> None:
    """What the host needs of the toolkit; held, if it is NVIDIA's."""
    origin = {"nvidia": "NVIDIA", "pypi": "PyPI", "distro": str(here)}.get(chosen.source)
    if origin:
        toolkit.have(
            name=f"Install CUDA {chosen.version} from {origin}", settings=settings, chosen=chosen,
            here=here, _env={"DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip
    toolkit.hold(name="Hold the CUDA packages", settings=settings, chosen=chosen)
    text_file.content(
        name="Keep unattended-upgrades from NVIDIA's packages",
        path=upgrades.UNATTENDED,
        text=upgrades.UNATTENDED_TEXT if settings.hold_cuda_packages else None,
    )


@operation()
def verify(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Fail where cmake is no real cmake. Changes nothing."""
    if not state.is_executing or not release_hosts.gets_tools(settings):
        return
    yield from _verify()


def _verify() -> Generator[PyinfraCommand, None, None]:
    cmake = host.get_fact(Program, path=CMAKE)
    if cmake.version < OLDEST_CMAKE:
        yield failure(f"{CMAKE}: {cmake.text or 'does not run'}; cmake 3.18 or later needed")
