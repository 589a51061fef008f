"""A CUDA toolkit: all of it on a host that builds, its libraries alone on one that takes its
release from another host."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation

from llamarig.cuda import table
from llamarig.cuda.table import Distribution
from llamarig.settings import Settings
from llamarig.tasks import release_hosts
from llamarig.tasks.cuda import check, pypi, upgrades
from llamarig.tasks.cuda.sources import Choice
from llamarig.tasks.operations import apt_packages

DISTRO_TOOLKIT = "nvidia-cuda-toolkit"


def packages(chosen: Choice, here: Distribution, *, all_of_it: bool) -> list[str]:
    """Of NVIDIA's repository or of the distribution; none for other sources."""
    version = table.parse(chosen.version)
    if chosen.source == "nvidia":
        return table.nvidia_packages(version) if all_of_it else table.nvidia_libraries(version)
    if chosen.source == "distro":
        return [DISTRO_TOOLKIT] if all_of_it else list(here.libraries)
    return []


@operation()
def have(
    settings: Settings, chosen: Choice, here: Distribution
) -> Generator[PyinfraCommand, None, None]:
    """Have what the current host needs of the toolkit."""
    yield from _have(chosen, here, all_of_it=release_hosts.gets_tools(settings))


def _have(
    chosen: Choice, here: Distribution, *, all_of_it: bool
) -> Generator[PyinfraCommand, None, None]:
    if names := packages(chosen, here, all_of_it=all_of_it):
        yield from apt_packages.have._inner(names=names)
    elif chosen.source == "pypi":
        yield from pypi.install._inner(choice=chosen, all_of_it=all_of_it)


@operation()
def hold(settings: Settings, chosen: Choice) -> Generator[PyinfraCommand, None, None]:
    """Hold what NVIDIA's repository gave, or let go of it."""
    yield from _hold(settings, chosen, all_of_it=release_hosts.gets_tools(settings))


def _hold(
    settings: Settings, chosen: Choice, *, all_of_it: bool
) -> Generator[PyinfraCommand, None, None]:
    # Libraries alone are not held: a toolkit that needs newer ones could not come after them.
    held = chosen.source == "nvidia" and all_of_it
    names = table.nvidia_packages(table.parse(chosen.version)) if held else []
    yield from upgrades.hold._inner(installed=names, wanted=settings.hold_cuda_packages)


@operation()
def compiles(settings: Settings, chosen: Choice) -> Generator[PyinfraCommand, None, None]:
    """See a small file compiled, where anything is to be."""
    if release_hosts.gets_tools(settings):
        yield from _compiles(settings, chosen)


def _compiles(settings: Settings, chosen: Choice) -> Generator[PyinfraCommand, None, None]:
    yield from check.compiles._inner(choice=chosen, architecture=settings.cuda_architecture)


def for_building(
    settings: Settings, chosen: Choice, here: Distribution
) -> Generator[PyinfraCommand, None, None]:
    """All of it, seen to compile, on a host that was to take its release and builds after all
    (part of an operation)."""
    yield from _have(chosen, here, all_of_it=True)
    yield from _hold(settings, chosen, all_of_it=True)
    yield from _compiles(settings, chosen)
