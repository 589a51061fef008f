"""The card's memory: how much is free, and who holds the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.paths import LIVE_UNIT, ROOT
from llamarig.tasks.findings.cards import chosen
from llamarig.tasks.findings.finding import Finding, Rule, ok, warning
from llamarig.tasks.findings.holders import size, stop
from llamarig.tasks.findings.ollama import is_ollama

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.nvidia_smi import SmiProcess
    from llamarig.tasks.facts.workstation import Workstation

# A small desktop stays below; a model or a game does not.
FREE_ENOUGH = 0.9


def room(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """What our own server holds counts as free: the next one takes its place."""
    card = chosen(seen, settings)
    if settings.backend != "cuda" or card is None:
        return
    total, free = card.memory_total_mib, card.memory_free_mib
    if total is None or free is None:
        return
    users = _users(seen, card.uuid)
    ours = sum(each.memory_mib or 0 for each in users if _is_ours(each))
    found = f"{free} of {total} MiB free"
    if ours:
        found += f", {ours} MiB held by llamarig's own server"
    if free + ours >= FREE_ENOUGH * total or any(
        _is_ours(each) and each.memory_mib is None for each in users
    ):
        yield ok("memory", found)
        return
    others = [each for each in users if not _is_ours(each) and not each.graphics]
    yield warning("memory", found, stop(others) if others else _end_desktop(users))


def holders(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Who else computes on the card; Ollama has a rule of its own."""
    card = chosen(seen, settings)
    if settings.backend != "cuda" or card is None:
        return
    for each in _users(seen, card.uuid):
        if each.graphics or _is_ours(each) or is_ollama(each):
            continue
        found = f"{each.name} (pid {each.pid}) holds {size(each)}"
        yield warning("memory", found, stop([each]))


def desktop(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Programs that draw are named and left alone."""
    card = chosen(seen, settings)
    if settings.backend != "cuda" or card is None:
        return
    drawing = [each for each in _users(seen, card.uuid) if each.graphics]
    if drawing:
        names = ", ".join(f"{each.name} ({size(each)})" for each in drawing)
        yield ok("memory", f"a desktop on the card: {names}")


def _users(seen: Workstation, uuid: str) -> list[SmiProcess]:
    return [process for process in seen.smi.processes if process.uuid == uuid]


def _is_ours(process: SmiProcess) -> bool:
    """The live server, or one under proof."""
    return process.unit == LIVE_UNIT or process.name.startswith(f"{ROOT}/")


def _end_desktop(users: list[SmiProcess]) -> str:
    if any(each.graphics for each in users):
        return "systemctl isolate multi-user.target, which ends the desktop"
    return "nvidia-smi shows what holds it; a reboot frees what no process holds"


RULES: tuple[Rule, ...] = (room, holders, desktop)
