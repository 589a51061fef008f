"""Ollama beside llamarig: it may hold the card, and may or may not know MTP heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.findings.cards import chosen
from llamarig.tasks.findings.finding import Finding, Rule, ok, warning
from llamarig.tasks.findings.holders import size, stop

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.nvidia_smi import SmiCard, SmiProcess
    from llamarig.tasks.facts.workstation import Workstation

# Since 0.30 Ollama runs llama-server itself; 0.24 was seen to fail on these models (ollama #16282).
KNOWS_MTP = (0, 30)
UNIT = "ollama.service"


def is_ollama(process: SmiProcess) -> bool:
    """Its own program, or the llama-server in its folder or under its unit."""
    return process.unit == UNIT or "ollama" in process.name


def version(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Whether this Ollama could run a model with MTP heads at all, and how."""
    if settings.backend == "cpu" or not seen.ollama.version:
        return
    number = ".".join(str(part) for part in seen.ollama.version)
    if seen.ollama.version < KNOWS_MTP:
        yield warning(
            "ollama",
            f"Ollama {number} can't load a model with MTP heads "
            "(missing attn_qkv/attn_gate projections)",
            f"upgrade Ollama to 0.30 or later; its Modelfile is then {_modelfile(settings)}",
        )
    else:
        yield ok(
            "ollama",
            f"Ollama {number} uses a model's MTP heads only with this Modelfile: "
            f"{_modelfile(settings)}",
        )


def holds_the_card(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A model that Ollama has loaded takes the memory that ours needs."""
    if settings.backend == "cpu":
        return
    card = _card(seen, settings)
    found = [each for each in seen.smi.processes if is_ollama(each)]
    # One line a process: where no card is chosen, it may be listed for several.
    holders = {each.pid: each for each in found if card is None or each.uuid == card.uuid}
    for each in holders.values():
        which = "the card" if card else _named(seen, each.uuid)
        text = f"{each.name} (pid {each.pid}) holds {size(each)} of {which}"
        yield warning("ollama", text, stop([each]))
    if seen.ollama.active and not holders:
        yield ok("ollama", "Ollama runs and holds nothing of the card now")


def _card(seen: Workstation, settings: Settings) -> SmiCard | None:
    """With Vulkan `gpu` counts otherwise, so only a single card is known to be the chosen one."""
    if settings.backend == "cuda":
        return chosen(seen, settings)
    return seen.smi.cards[0] if len(seen.smi.cards) == 1 else None


def _named(seen: Workstation, uuid: str) -> str:
    return next((card.name for card in seen.smi.cards if card.uuid == uuid), "a card")


def _modelfile(settings: Settings) -> str:
    """Two lines, shown on one."""
    return f"`FROM ./{settings.model_file}`, `PARAMETER draft_num_predict {settings.draft_n_max}`"


RULES: tuple[Rule, ...] = (version, holds_the_card)
