"""What nvidia-smi says of the cards and of those who use them, or why it can't."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace

from pyinfra.api.facts import FactBase

from llamarig.tasks.facts.smi_processes import SmiProcess, processes
from llamarig.tasks.facts.smi_script import CARD_FIELDS, SCRIPT
from llamarig.tasks.facts.smi_text import failure, is_uuid, number, rows, sections, switch, whole

__all__ = ["NvidiaSmi", "SmiCard", "SmiProcess", "SmiState"]

# Bits of nvml.h (nvmlClocksEventReason…) that mean a fault; a full power budget is none.
SLOWDOWNS = (
    (0x08, "hardware slowdown"),
    (0x20, "too hot, by the driver"),
    (0x40, "too hot, by the hardware"),
    (0x80, "power brake"),
)


@dataclass(frozen=True)
class SmiCard:
    """A card as its driver sees it; None: nvidia-smi does not tell. Memory is in MiB, power in
    watts, power_min_w to power_max_w is what the card can be limited to; compute_capability has no
    dot (89); throttle names what holds the clocks down."""

    name: str
    uuid: str
    bus_id: str
    driver_version: str = ""
    compute_capability: int | None = None
    memory_total_mib: int | None = None
    memory_free_mib: int | None = None
    persistence: bool | None = None
    power_limit_w: float | None = None
    power_default_w: float | None = None
    power_min_w: float | None = None
    power_max_w: float | None = None
    ecc: bool | None = None
    temperature_c: int | None = None
    pcie_width: int | None = None
    pcie_max_width: int | None = None
    throttle: str = ""


@dataclass(frozen=True)
class SmiState:
    """failure: empty, not-installed, library-mismatch, no-driver, no-devices, no-handle,
    gpu-lost or other; text: the line that says it. Cards are in PCI order, and may be there
    beside a failure: one of several was lost."""

    installed: bool = False
    failure: str = "not-installed"
    text: str = ""
    cards: list[SmiCard] = field(default_factory=list)
    processes: list[SmiProcess] = field(default_factory=list)


def chosen(cards: list[SmiCard], gpu: int | str | None) -> SmiCard | None:
    """The card that an index or a uuid names; None: no such card, or which is not settled."""
    if gpu is None:
        return cards[0] if len(cards) == 1 else None
    if isinstance(gpu, int):
        return cards[gpu] if gpu < len(cards) else None
    return next((card for card in cards if card.uuid == gpu), None)


class NvidiaSmi(FactBase[SmiState]):
    """Both streams are read: some failures are printed on stdout, with exit status 18."""

    @staticmethod
    def default() -> SmiState:
        return SmiState()

    def command(self) -> str:
        return f"sh -c {shlex.quote(SCRIPT)}"

    def process(self, output: list[str]) -> SmiState:
        found = sections(output)
        if "cards" not in found:
            return SmiState()
        why, text = failure(found["cards"])
        fields = len(CARD_FIELDS.split(","))
        known = [row for row in rows(found["cards"], fields) if is_uuid(row[1])]
        capability = dict(rows(found.get("capability", []), 2))
        reasons = dict(rows(found.get("throttle", []), 2))
        limits = {uuid: span for uuid, *span in rows(found.get("limits", []), 3)}
        cards = [
            replace(
                _card(row, capability.get(row[1], ""), reasons.get(row[1], "")),
                power_min_w=number(least),
                power_max_w=number(most),
            )
            for row in known
            for least, most in [limits.get(row[1], ["", ""])]
        ]
        return SmiState(True, why, text, cards, processes(found, {row[0]: row[1] for row in known}))


def _card(row: list[str], capability: str, reasons: str) -> SmiCard:
    _, uuid, bus_id, name, driver, total, free, persistence, limit, default = row[:10]
    ecc, temperature, width, widest = row[10:]
    digits = re.fullmatch(r"(\d+)\.(\d)", capability)
    return SmiCard(
        name=name,
        uuid=uuid,
        bus_id=bus_id,
        driver_version=driver,
        compute_capability=int(digits[1] + digits[2]) if digits else None,
        memory_total_mib=whole(total),
        memory_free_mib=whole(free),
        persistence=switch(persistence),
        power_limit_w=number(limit),
        power_default_w=number(default),
        ecc=switch(ecc),
        temperature_c=whole(temperature),
        pcie_width=whole(width),
        pcie_max_width=whole(widest),
        throttle=_throttle(reasons),
    )


def _throttle(reasons: str) -> str:
    bits = int(reasons, 16) if re.fullmatch(r"0x[0-9a-fA-F]+", reasons) else 0
    return ", ".join(text for bit, text in SLOWDOWNS if bits & bit)
