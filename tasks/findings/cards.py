"""Which card, and whether what is built fits it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from annotated_types import Ge, Le

from llamarig.settings import Settings
from llamarig.tasks.facts import nvidia_smi
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning

if TYPE_CHECKING:
    from llamarig.tasks.facts.graphics import PciCard
    from llamarig.tasks.facts.nvidia_smi import SmiCard
    from llamarig.tasks.facts.workstation import Workstation

PASSED_THROUGH = "vfio-pci"


def chosen(seen: Workstation, settings: Settings) -> SmiCard | None:
    """The card that the server will use; None: the driver shows none, or which is not settled."""
    return nvidia_smi.chosen(seen.smi.cards, settings.gpu)


def present(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Without a driver only the PCI bus knows of a card; under WSL only the driver does."""
    if settings.backend != "cuda":
        return
    if seen.smi.cards:
        for card in seen.smi.cards:
            yield ok("card", f"{card.name} at {card.bus_id}, {card.uuid}")
    elif seen.cards:
        for each in seen.cards:
            yield ok("card", f"an NVIDIA card, device {each.device}, at {each.address}")
    else:
        # A render node is some GPU, which may be too small or too old for anything.
        other = 'for a GPU of another make set backend = "vulkan", ' if seen.render_nodes else ""
        yield blocker(
            "card",
            "no NVIDIA card on the PCI bus",
            f'seat the card and its power cables; {other}without one, set backend = "cpu"',
        )


def passed_through(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A card that is kept for virtual machines; others beside it serve."""
    kept = [card for card in seen.cards if card.driver == PASSED_THROUGH]
    if settings.backend != "cuda" or not kept:
        return
    found = f"{_addresses(kept)} bound to {PASSED_THROUGH}, kept for virtual machines"
    if len(kept) < len(seen.cards) or seen.smi.cards:
        yield ok("card", found)
        return
    ids = ",".join(sorted({f"10de:{card.device}" for card in kept}))
    yield blocker(
        "card",
        found,
        f"take {ids} out of vfio-pci.ids in /etc/modprobe.d and the kernel's command line, "
        "update-initramfs -u, reboot",
    )


def selection(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """`gpu` must name one card where there are several, and one that is there."""
    usable = [card.address for card in seen.cards if card.driver != PASSED_THROUGH]
    count = len(seen.smi.cards) or len(usable)
    if settings.backend != "cuda" or count == 0:
        return
    if settings.gpu is None:
        if count > 1:
            names = ", ".join(card.name for card in seen.smi.cards) or ", ".join(usable)
            yield blocker("gpu", f"{count} cards ({names}), none chosen", f"set gpu = {_one(seen)}")
    elif isinstance(settings.gpu, int):
        if settings.gpu >= count:
            found = f"{settings.gpu} set, {count} card{'s' if count > 1 else ''} found, from 0"
            yield blocker("gpu", found, f"set gpu = {_one(seen)}")
    elif seen.smi.cards and chosen(seen, settings) is None:
        yield blocker("gpu", f"{settings.gpu} is not on this host", f"set gpu = {_one(seen)}")


def capability(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The chosen card alone counts: what is built runs on no other."""
    card = chosen(seen, settings)
    if settings.backend != "cuda" or card is None or card.compute_capability is None:
        return
    found = f"{card.name} is sm_{card.compute_capability}"
    oldest, newest = _architectures()
    if too_old(seen, settings):
        text = f"{found}, too old for llamarig"
        yield blocker("card", text, f"use a card with sm_{oldest} or later")
    elif card.compute_capability > newest:
        text = f"{found}, newer than any that this llamarig knows"
        yield blocker("card", text, "use a later llamarig")
    elif card.compute_capability == settings.cuda_architecture:
        yield ok("cuda_architecture", found)
    else:
        yield blocker(
            "cuda_architecture",
            f"{found}, cuda_architecture is {settings.cuda_architecture}",
            f"set cuda_architecture = {card.compute_capability} in group_data or the inventory",
        )


def link(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A narrow link makes loading slow; generating hardly uses it."""
    card = chosen(seen, settings)
    if settings.backend != "cuda" or card is None:
        return
    width, widest = card.pcie_width, card.pcie_max_width
    if width is None or widest is None:
        on_bus = next((each for each in seen.cards if _same(each.address, card.bus_id)), None)
        width, widest = (on_bus.width, on_bus.max_width) if on_bus else (None, None)
    if width is not None and widest is not None and width < widest:
        yield warning(
            "pcie",
            f"{card.name} runs on {width} of {widest} PCIe lanes, which slows loading",
            f"put it into a slot with {widest} lanes and nothing that shares them",
        )


def too_old(seen: Workstation, settings: Settings) -> bool:
    """Whether no toolkit and no setting can serve the chosen card."""
    card = chosen(seen, settings)
    capability = card.compute_capability if card else None
    return capability is not None and capability < _architectures()[0]


def _architectures() -> tuple[int, int]:
    """The lowest and the highest that cuda_architecture may be."""
    limits = Settings.model_fields["cuda_architecture"].metadata
    low = next(each.ge for each in limits if isinstance(each, Ge))
    return int(str(low)), int(str(next(each.le for each in limits if isinstance(each, Le))))


def _addresses(cards: list[PciCard]) -> str:
    return ", ".join(card.address for card in cards)


def _one(seen: Workstation) -> str:
    """What `gpu` could say: a UUID stays true when cards are moved, an index does not."""
    cards = seen.smi.cards
    return " or ".join(f'"{card.uuid}"' for card in cards) if cards else "0, the first by PCI order"


def _same(address: str, bus_id: str) -> bool:
    """nvidia-smi writes the PCI domain with eight digits and in capitals, the kernel with four."""
    return bus_id.lower().endswith(address.lower())


RULES: tuple[Rule, ...] = (present, passed_through, selection, capability, link)
