"""Whether NVIDIA's driver runs, and why not. health.py has what a running one says of its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.findings.cards import chosen
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation

REBOOT = "systemctl reboot"
NO_NOUVEAU = (
    r"printf 'blacklist nouveau\noptions nouveau modeset=0\n' "
    ">/etc/modprobe.d/blacklist-nouveau.conf && update-initramfs -u && systemctl reboot"
)
CONFIRM = "reboot, and confirm the key at the console"
FAILED = {
    "library-mismatch": ("the library and the loaded driver differ", REBOOT),
    "no-driver": ("nvidia-smi can't reach the loaded driver", REBOOT),
    "no-devices": (
        "the driver runs and finds no card",
        "dmesg | grep NVRM says why (an RTX 50 card needs the open kernel modules)",
    ),
    "no-handle": (
        "a card does not answer",
        "switch the power off and on, then check the card's cables and its slot",
    ),
    "gpu-lost": (
        "a card was lost from the bus",
        f"{REBOOT}; should it happen again, check the card's cables and its slot",
    ),
    "other": ("nvidia-smi failed", "nvidia-smi, run by hand"),
}


def loaded(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """No driver runs and neither nouveau nor Secure Boot is the reason."""
    if not _concerns(seen, settings):
        return
    if _runs(seen):
        version = seen.driver.loaded or seen.smi.cards[0].driver_version
        yield ok("driver", f"{version} is loaded")
    elif not seen.driver.nouveau and not _refused(seen):
        if seen.driver.on_disk:
            found = f"{seen.driver.on_disk} is installed and not loaded"
            yield _unless_installing(settings, found, "modprobe nvidia")
        else:
            yield _unless_installing(
                settings, "no NVIDIA driver is installed", 'set driver = "install"'
            )


def nouveau(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The free driver holds the card and does not let NVIDIA's have it."""
    if _concerns(seen, settings) and seen.driver.nouveau and not _runs(seen):
        yield _unless_installing(settings, "nouveau drives the card", NO_NOUVEAU)


def secure_boot(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The kernel takes no module whose key the firmware does not know."""
    state = seen.driver
    if not _concerns(seen, settings) or _runs(seen):
        return
    enrol = f"mokutil --import {state.mok_key or '/var/lib/dkms/mok.pub'}, {CONFIRM}"
    if not _refused(seen):
        if state.secure_boot and not state.on_disk and settings.driver == "install":
            found = "Secure Boot is on: a driver that DKMS builds loads once its key is enrolled"
            yield warning("secure_boot", found, f"once it is installed: {enrol}")
    elif state.signer:
        found = f"the module {state.on_disk} is signed by {state.signer}, whose key was rejected"
        yield blocker("secure_boot", found, enrol)
    else:
        yield blocker(
            "secure_boot",
            f"Secure Boot is on and the module {state.on_disk} is not signed",
            f"reinstall the driver so that DKMS signs it, then {enrol}; or switch Secure Boot off",
        )


def versions(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """After an upgrade the old module runs on beside the new library until the next boot."""
    if not _concerns(seen, settings) or not seen.driver.loaded:
        return
    state = seen.driver
    if state.library and state.library != state.loaded:
        found = f"{state.loaded} is loaded, the library is {state.library}"
        yield blocker("driver", found, REBOOT)
    elif state.on_disk and state.on_disk != state.loaded:
        found = f"{state.loaded} is loaded, {state.on_disk} is what the next boot loads"
        yield warning("driver", found, REBOOT)
    elif state.api_mismatch and not seen.smi.cards:
        yield blocker("driver", f"the kernel says: {state.api_mismatch}", REBOOT)


def reboot_pending(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A new kernel or driver waits; it would come at a moment that nobody chose."""
    if settings.backend == "cuda" and seen.driver.reboot_required:
        yield warning("reboot", "a package asks for a reboot (/run/reboot-required)", REBOOT)


def nvidia_smi(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """What a running driver answers; where none runs, the rules above say why."""
    failure, state = seen.smi.failure, seen.driver
    if not failure or not _concerns(seen, settings) or not _runs(seen):
        return
    if failure == "not-installed":
        package = f"nvidia-utils-{state.loaded.split('.')[0]}"
        if seen.machine is not None and seen.machine.distribution == "debian":
            package = "nvidia-smi"
        level = warning if state.library else blocker
        yield level("nvidia-smi", "it is not installed", f"apt install {package}")
    elif failure != "library-mismatch" or state.library in ("", state.loaded):
        found, fix = FAILED[failure]
        # One of several cards was lost: ours may be among those that answer.
        level = warning if chosen(seen, settings) else blocker
        yield level("nvidia-smi", f"{found} ({seen.smi.text})", fix)


def _concerns(seen: Workstation, settings: Settings) -> bool:
    """Without a card there is nothing to drive, and cards.present says so."""
    return settings.backend == "cuda" and bool(seen.cards or seen.smi.cards)


def _runs(seen: Workstation) -> bool:
    """Under WSL no module is loaded and nvidia-smi answers all the same."""
    return bool(seen.driver.loaded or seen.smi.cards)


def _refused(seen: Workstation) -> bool:
    """A module lies on disk that the kernel refused, or will, for its signature."""
    state = seen.driver
    unsigned = state.secure_boot is True and not state.signer
    return bool(state.on_disk) and (state.key_rejected or unsigned)


def _unless_installing(settings: Settings, found: str, fix: str) -> Finding:
    if settings.driver != "install":
        return blocker("driver", found, fix)
    reboot = "none needed" if settings.allow_reboot else "set allow_reboot = True"
    return warning("driver", f"{found}; driver install mends it and may need a reboot", reboot)


RULES: tuple[Rule, ...] = (loaded, nouveau, secure_boot, versions, reboot_pending, nvidia_smi)
