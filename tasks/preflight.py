"""Refuse early: everything that can be known before anything is changed."""

from __future__ import annotations

from pyinfra.context import host, state

from llamarig import connection
from llamarig.paths import LIVE_UNIT
from llamarig.settings import Settings
from llamarig.tasks import display_callback, site, sudo
from llamarig.tasks.facts.disk import Disk, DiskState
from llamarig.tasks.facts.machine import Machine, MachineState
from llamarig.tasks.facts.port import Listener
from llamarig.tasks.operations import host_lock, refusal
from llamarig.tasks.step import refuse, refused, step

GIB = 2**30


@step("Preflight")
def check() -> None:
    """Settings, connection, privileges, machine, disk, port; then the host's lock."""
    display_callback.register(state)
    settings = site.settings()
    connection.harden(host)
    become_root(settings)
    if not refused(host.name):
        refuse(host.name, problems(settings))
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


def become_root(settings: Settings) -> None:
    """Decide per host whether sudo is needed, and refuse the host where it does not work."""
    line = sudo.arrange(host, settings.sudo_password_file)
    if line:
        refuse(host.name, [line])


def problems(settings: Settings) -> list[str]:
    """One line per thing that stands in the way."""
    found = _machine(host.get_fact(Machine))
    found += _disk(settings, host.get_fact(Disk, path=settings.hf_home))
    # This step's own arguments were fixed before sudo was arranged, so sudo is said here.
    as_root = bool(host.data.get("_sudo"))
    for listening in host.get_fact(Listener, port=settings.port, _sudo=as_root):
        if listening.unit != LIVE_UNIT:
            found.append(
                f"port: {settings.port} is taken by {listening.program} "
                f"(pid {listening.pid}); stop it or set another port"
            )
    return found


def _machine(machine: MachineState | None) -> list[str]:
    if machine is None:
        return ["the host did not say what it is; is it a Debian or Ubuntu machine?"]
    found = []
    if machine.distribution not in ("debian", "ubuntu"):
        found.append(f"distribution: {machine.distribution} found, Debian or Ubuntu needed")
    if machine.architecture != "x86_64":
        found.append(f"architecture: {machine.architecture} found, x86_64 needed")
    if machine.init != "systemd":
        found.append(f"init: {machine.init} runs as PID 1, systemd needed")
    return found


def _disk(settings: Settings, disk: DiskState | None) -> list[str]:
    if disk is None:
        return [f"hf_home: the host could not say where {settings.hf_home} lies"]
    found = []
    if disk.on_system_disk and not settings.allow_system_disk:
        found.append(
            f"hf_home: {settings.hf_home} lies on the system disk (mounted at "
            f"{disk.path.mounted_at}); set hf_home to a data disk, or allow_system_disk = True"
        )
    if disk.path.free < settings.min_free_gib * GIB:
        found.append(
            f"hf_home: {disk.path.free / GIB:.1f} GiB free at {disk.path.mounted_at}, "
            f"{settings.min_free_gib:.1f} GiB needed (min_free_gib)"
        )
    return found
