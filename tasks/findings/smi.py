"""What nvidia-smi answers where a driver runs. Where none does, driver.py says why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.findings.cards import chosen
from llamarig.tasks.findings.driver import REBOOT, concerns, distribution, runs
from llamarig.tasks.findings.finding import Finding, Rule, blocker, warning

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation

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


def nvidia_smi(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A failure, or that there is none to ask."""
    failure, state = seen.smi.failure, seen.driver
    if not failure or not concerns(seen, settings) or not runs(seen):
        return
    if failure == "not-installed":
        level = warning if state.library else blocker
        yield level("nvidia-smi", "it is not installed", _utilities(seen))
    elif failure != "library-mismatch" or state.library in ("", state.loaded):
        found, fix = FAILED[failure]
        # One of several cards was lost: ours may be among those that answer.
        level = warning if chosen(seen, settings) else blocker
        yield level("nvidia-smi", f"{found} ({seen.smi.text})", fix)


def _utilities(seen: Workstation) -> str:
    """The package with nvidia-smi, which must be of the driver's own branch and flavour."""
    branch, here = seen.driver.loaded.partition(".")[0], distribution(seen)
    flavours = [each for each in seen.driver.flavours if each.partition("-")[0] == branch]
    if here.name == "debian":
        if here.driver and branch == str(here.driver.branch):
            return "apt install nvidia-smi"
        return "install the package with nvidia-smi that matches your driver package"
    if len(flavours) == 1:
        return f"apt install nvidia-utils-{flavours[0]}"
    return "install the nvidia-utils package that matches your driver package"


RULES: tuple[Rule, ...] = (nvidia_smi,)
