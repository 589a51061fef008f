"""What a host needs to build: compilers, ninja, and a cmake that is really cmake."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state
from pyinfra.facts.deb import DebPackages
from pyinfra.operations import apt

from llamarig.settings import Settings
from llamarig.tasks import site
from llamarig.tasks.facts.program import Program
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step

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
# Debian's own path, whatever the operator's login shell finds first: an asdf or mise shim called
# cmake exits 126 when no version is set, and the build stops there.
CMAKE = "/usr/bin/cmake"
OLDEST_CMAKE = (3, 18)
# Seconds that apt waits for a lock that unattended-upgrades holds.
APT_LOCK_SECONDS = 300


def packages(names: list[str], title: str) -> None:
    """Install what is missing. The package lists are only fetched when something is."""
    present = host.get_fact(DebPackages)
    apt.packages(
        name=title,
        packages=names,
        update=any(name not in present for name in names),
        no_recommends=True,
        extra_install_args=f"-o DPkg::Lock::Timeout={APT_LOCK_SECONDS}",
        _env={"DEBIAN_FRONTEND": "noninteractive"},
    )


@step("Toolchain")
def install() -> None:
    """Packages of the distribution; then the tools are asked who they are."""
    packages(PACKAGES, "Install the compilers")
    verify(name="Check the tools", settings=site.settings())


@operation()
def verify(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Fail where cmake is no real cmake or CUDA's compiler is not there. Changes nothing."""
    if not state.is_executing:
        return
    cmake = host.get_fact(Program, path=CMAKE)
    if cmake.version < OLDEST_CMAKE:
        yield failure(f"{CMAKE}: {cmake.text or 'does not run'}; cmake 3.18 or later needed")
    if settings.backend == "cuda":
        nvcc = f"{settings.cuda_home}/bin/nvcc"
        if not host.get_fact(Program, path=nvcc).runs:
            yield failure(
                f"cuda_home: {nvcc} does not run; install NVIDIA's CUDA toolkit on the host, "
                "or set cuda_home to where it is"
            )
