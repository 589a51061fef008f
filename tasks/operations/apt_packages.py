"""Packages of the distribution: the missing ones are written down, then installed."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.facts.deb import DebPackages
from pyinfra.operations import apt

from llamarig.tasks.operations import records

# Seconds that apt waits for a lock that unattended-upgrades holds.
APT_LOCK_SECONDS = 300


@operation()
def have(names: Sequence[str]) -> Generator[PyinfraCommand, None, None]:
    """Install what is missing. The package lists are only fetched when something is."""
    present = host.get_fact(DebPackages)
    missing = [name for name in names if name not in present]
    if not missing:
        host.noop("all of them are installed")
        return
    yield StringCommand("apt-get update")
    # With the fresh lists, so that it is what will be installed.
    yield records.packages_noted(missing)
    yield from apt.packages._inner(
        packages=missing,
        no_recommends=True,
        extra_install_args=f"-o DPkg::Lock::Timeout={APT_LOCK_SECONDS}",
    )
