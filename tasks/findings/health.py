"""What a running driver says of its card: power, heat, errors, and what it keeps ready."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor
from typing import TYPE_CHECKING

from llamarig.tasks.findings.cards import chosen
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning
from llamarig.tasks.findings.platform import supported

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.nvidia_smi import SmiCard
    from llamarig.tasks.facts.workstation import Workstation

# °C, ours: hotter than an idle card should be. Where clocks go down the card says itself.
HOT = 85
XID_TABLE = "docs.nvidia.com/deploy/xid-errors"


def persistence(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Without it each first use of the card waits for the driver to set it up."""
    card = _card(seen, settings)
    if card and card.persistence is False and not settings.gpu_persistence_mode:
        yield warning("persistence", "persistence mode is off", "set gpu_persistence_mode = True")


def ecc(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """No fault: it explains a total that is lower than the card's name promises."""
    card = _card(seen, settings)
    if card and card.ecc:
        yield ok("ecc", "ECC is on; with GDDR it takes part of the memory and of its speed")


def power_limit(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A limit that the owner set is no fault, if the card can keep it."""
    card = _card(seen, settings)
    wanted = settings.gpu_power_limit
    if card and wanted is not None and not _within(card, wanted):
        least, most = ceil(card.power_min_w or 0), floor(card.power_max_w or 0)
        found = f"{wanted} W set, {card.name} takes {least} to {most} W"
        yield blocker("gpu_power_limit", found, f"set gpu_power_limit from {least} to {most}")
    if not card or card.power_limit_w is None or card.power_default_w is None:
        return
    limit, default = round(card.power_limit_w), round(card.power_default_w)
    if limit < default and settings.gpu_power_limit is None:
        found = f"limited to {limit} W, {default} W by default"
        yield warning("power", found, f"set gpu_power_limit = {default}, or {limit} if it is meant")


def heat(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Hot before any work is done, or already slowed down."""
    card = _card(seen, settings)
    if not card:
        return
    said = []
    if card.temperature_c is not None and card.temperature_c >= HOT:
        said.append(f"{card.temperature_c} °C")
    if card.throttle:
        said.append(f"clocks held down ({card.throttle})")
    if said:
        fix = "check fans, dust and air flow, and the card's power cables"
        yield warning("heat", ", ".join(said), fix)


def unified_memory(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """CUDA opens /dev/nvidia-uvm; a service in a sandbox can't make it by itself."""
    if not _card(seen, settings) or not seen.driver.loaded:
        return
    if "/dev/nvidia-uvm" not in seen.driver.devices:
        yield warning("driver", "/dev/nvidia-uvm is missing", "nvidia-modprobe -u -c=0")


def xids(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Errors of a card since this boot, in the driver's own words; the last one."""
    if settings.backend == "cuda" and supported(seen.machine) and seen.driver.xids:
        fix = f"{XID_TABLE} says what it means"
        yield warning("xid", f"the kernel log has {seen.driver.xids[-1].rstrip('.')}", fix)


def _within(card: SmiCard, watts: int) -> bool:
    """Of a card that names no limits everything is believed."""
    if card.power_min_w is None or card.power_max_w is None:
        return True
    return card.power_min_w <= watts <= card.power_max_w


def _card(seen: Workstation, settings: Settings) -> SmiCard | None:
    concerned = settings.backend == "cuda" and supported(seen.machine)
    return chosen(seen, settings) if concerned else None


RULES: tuple[Rule, ...] = (persistence, ecc, power_limit, heat, unified_memory, xids)
