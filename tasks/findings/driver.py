"""Whether NVIDIA's driver runs, and why not. health.py has what a running one says of its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.cuda import table
from llamarig.cuda.table import Distribution
from llamarig.tasks.cuda import advice
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning
from llamarig.tasks.findings.platform import supported

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation

REBOOT = "systemctl reboot"
NO_NOUVEAU = (
    r"printf 'blacklist nouveau\noptions nouveau modeset=0\n' | "
    "sudo tee /etc/modprobe.d/blacklist-nouveau.conf && sudo update-initramfs -u && "
    "sudo systemctl reboot"
)
# Where DKMS puts its key: on Debian, on Ubuntu.
MOK_KEYS = ("/var/lib/dkms/mok.pub", "/var/lib/shim-signed/mok/MOK.der")
CONFIRM = "reboot, and confirm the key at the console"


def loaded(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """No driver runs and neither nouveau nor Secure Boot is the reason."""
    if not concerns(seen, settings):
        return
    if runs(seen):
        version = seen.driver.loaded or seen.smi.cards[0].driver_version
        yield ok("driver", f"{version} is loaded")
    elif not seen.driver.nouveau and not _refused(seen):
        if seen.driver.on_disk:
            found = f"{seen.driver.on_disk} is installed and not loaded"
            yield from _unless_installing(seen, settings, found, "modprobe nvidia")
        else:
            found = "no NVIDIA driver is installed"
            yield from _unless_installing(seen, settings, found, _get(seen, settings))


def nouveau(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The free driver holds the card and does not let NVIDIA's have it."""
    if concerns(seen, settings) and seen.driver.nouveau and not runs(seen):
        if seen.driver.on_disk:
            found, fix = "nouveau drives the card", NO_NOUVEAU
        else:
            # Without nouveau and without another driver the console would be all that is left.
            found = "nouveau drives the card, no NVIDIA driver is installed"
            fix = _get(seen, settings)
        yield from _unless_installing(seen, settings, found, fix)


def secure_boot(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The kernel takes no module whose key the firmware does not know."""
    state = seen.driver
    if not concerns(seen, settings) or runs(seen):
        return
    ubuntu = seen.machine is not None and seen.machine.distribution == "ubuntu"
    enrol = f"mokutil --import {state.mok_key or MOK_KEYS[ubuntu]}, {CONFIRM}"
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
    if not concerns(seen, settings) or not seen.driver.loaded:
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
    wanted = settings.backend == "cuda" and supported(seen.machine)
    if wanted and seen.driver.reboot_required:
        yield warning("reboot", "a package asks for a reboot (/run/reboot-required)", REBOOT)


def concerns(seen: Workstation, settings: Settings) -> bool:
    """Without a card there is nothing to drive, and cards.present says so."""
    there = bool(seen.cards or seen.smi.cards)
    return settings.backend == "cuda" and there and supported(seen.machine)


def runs(seen: Workstation) -> bool:
    """Under WSL no module is loaded and nvidia-smi answers all the same."""
    return bool(seen.driver.loaded or seen.smi.cards)


def _refused(seen: Workstation) -> bool:
    """A module lies on disk that the kernel refused, or will, for its signature."""
    state = seen.driver
    unsigned = state.secure_boot is True and not state.signer
    return bool(state.on_disk) and (state.key_rejected or unsigned)


def _unless_installing(
    seen: Workstation, settings: Settings, found: str, fix: str
) -> Iterator[Finding]:
    """A blocker, or what a deploy does about it; a driver that can't be had is cuda.driver's."""
    if settings.driver != "install":
        yield blocker("driver", found, fix)
    elif not advice.unserved(settings, distribution(seen)):
        mends = f'{found}, which driver = "install" mends'
        if settings.allow_reboot:
            yield ok("driver", f"{mends}, with a reboot if it takes one")
        else:
            yield warning("driver", f"{mends}; it may take a reboot", "set allow_reboot = True")


def distribution(seen: Workstation) -> Distribution:
    """What is known of the host's distribution."""
    name, version = (seen.machine.distribution, seen.machine.version) if seen.machine else ("", "")
    return table.distribution(name, version) or Distribution(name, version)


def _get(seen: Workstation, settings: Settings) -> str:
    return advice.driver(settings, distribution(seen))


RULES: tuple[Rule, ...] = (loaded, nouveau, secure_boot, versions, reboot_pending)
