"""The machine itself: distribution, architecture, init, C library, kernel and memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.machine import MachineState
    from llamarig.tasks.facts.workstation import Workstation

GIB = 2**30
# Those that the toolchain was written for; on others it may find its packages, or not.
KNOWN = {"debian": ("12", "13"), "ubuntu": ("22.04", "24.04", "26.04")}
ARCHITECTURE = "x86_64"
NAMES = {"debian": "Debian", "ubuntu": "Ubuntu"}
SMALL_MEMORY = 8 * GIB


def supported(machine: MachineState | None) -> bool:
    """Whether anything else about software can be advised; False has a blocker of its own."""
    return machine is None or (
        machine.distribution in KNOWN and machine.architecture == ARCHITECTURE
    )


def distribution(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    machine = seen.machine
    if machine is None:
        yield blocker(
            "machine", "the host did not say what it is", "is it a Debian or Ubuntu machine?"
        )
        return
    if machine.distribution not in KNOWN:
        found = f"{machine.distribution or 'no name of one'} found, Debian or Ubuntu needed"
        yield blocker("distribution", found, "install one of them, or leave this host out")
        return
    found = f"{NAMES[machine.distribution]} {machine.version or 'without a version'}"
    versions = KNOWN[machine.distribution]
    if machine.version in versions:
        yield ok("distribution", found)
    else:
        fix = f"use {NAMES[machine.distribution]} {' or '.join(versions)}, or see how far it gets"
        yield warning("distribution", f"{found}, for which llamarig was not written", fix)


def architecture(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    if seen.machine is None:
        return
    found = seen.machine.architecture
    if found == ARCHITECTURE:
        yield ok("architecture", found)
    else:
        yield blocker(
            "architecture", f"{found or 'none'} found, {ARCHITECTURE} needed", "leave this host out"
        )


def init(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    if seen.machine is None:
        return
    found = f"{seen.machine.init or 'something unknown'} runs as PID 1"
    if seen.machine.init == "systemd":
        yield ok("init", found)
    else:
        yield blocker("init", f"{found}, systemd needed", "boot it with systemd, or leave it out")


def glibc(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Which CUDA goes with which glibc is a rule of the toolkits."""
    if seen.machine is None:
        return
    if seen.machine.glibc:
        yield ok("glibc", ".".join(str(part) for part in seen.machine.glibc))
    elif settings.backend == "cuda" and supported(seen.machine):
        found = "getconf names none, and CUDA's toolkits are made for glibc"
        yield warning("glibc", found, "apt-get install --reinstall libc-bin")


def kernel(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    if seen.machine is not None and seen.machine.kernel:
        yield ok("kernel", seen.machine.kernel)


def main_memory(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A job of CUDA's compilers takes about 0.7 GB (measured on ten objects of b11434)."""
    if seen.machine is None or not seen.machine.memory_bytes:
        return
    found = f"{seen.machine.memory_bytes / GIB:.1f} GiB"
    if settings.backend == "cpu" or seen.machine.memory_bytes >= SMALL_MEMORY:
        yield ok("main memory", found)
    else:
        text = f"{found}; compiling takes about 0.7 GB a job, and loading a model more"
        yield warning("main memory", text, "add memory, or set build_jobs = 2")


RULES: tuple[Rule, ...] = (distribution, architecture, init, glibc, kernel, main_memory)
