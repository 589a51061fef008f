"""NVIDIA's driver, where the owner asked for it (driver: install) and none is loaded."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state
from pyinfra.operations import server

from llamarig import connection
from llamarig.cuda.table import FIRST_OPEN_ONLY, Distribution
from llamarig.settings import Settings
from llamarig.tasks import sudo
from llamarig.tasks.facts.driver import NvidiaDriver
from llamarig.tasks.facts.machine import MachineState
from llamarig.tasks.operations import host_lock
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import refused

REBOOT_SECONDS = 900


def packages(here: Distribution, machine: MachineState, settings: Settings) -> list[str]:
    """The driver's packages and the headers its module is built with.

    The distribution's, or NVIDIA's with cuda_source nvidia. Empty: llamarig knows of none.
    """
    if settings.cuda_source == "nvidia" and here.folder:
        open_only = settings.cuda_architecture >= FIRST_OPEN_ONLY
        names = ["nvidia-open" if open_only else "cuda-drivers"]
    else:
        names = list(here.driver.serving(settings.cuda_architecture)) if here.driver else []
    headers = [f"linux-headers-{machine.kernel}"]
    if here.name == "debian":
        # Kernels to come need theirs too; Ubuntu's kernel packages bring them along.
        headers.append("linux-headers-amd64")
    return [*headers, *names] if names else []


@operation()
def load(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have the driver loaded: without a reboot where that works, else by one if that is allowed."""
    if host.get_fact(NvidiaDriver).loaded:
        return
    if not state.is_executing:
        yield StringCommand("/sbin/modprobe nvidia")
        return
    loaded, _ = connection.run(host, "/sbin/modprobe nvidia", sudo=bool(host.data.get("_sudo")))
    if loaded:
        return
    if not settings.allow_reboot:
        yield failure(
            "driver: installed, but it loads only after a reboot; reboot the host and run the "
            "same command again, or set allow_reboot = True"
        )
        return
    yield from server.reboot._inner(delay=20, interval=2, reboot_timeout=REBOOT_SECONDS)
    # All that this run held on the host went with the reboot.
    connection.harden(host)
    sudo.become_root(settings)
    if refused(host.name):
        yield failure("driver: the host was rebooted, and root's rights were not had again")
        return
    yield from host_lock.take._inner(lease=settings.lock_lease_seconds)
    if not host.get_fact(NvidiaDriver).loaded:
        yield failure("driver: not loaded after a reboot either; llamarig doctor says why")
