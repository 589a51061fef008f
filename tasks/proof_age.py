"""Whether a recorded proof still counts: the same card, driver and power limit, and no gate that
was raised since."""

from __future__ import annotations

from pyinfra.context import host

from llamarig.onhost import proof
from llamarig.onhost.context import CARD_KEYS
from llamarig.settings import Settings
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.facts.nvidia_smi import NvidiaSmi, SmiCard, chosen

WORDS = {"name": "card", "uuid": "card", "driver": "driver", "power_limit_w": "power limit"}


def changed(record: dict[str, object] | None, card: SmiCard | None) -> str | None:
    """One phrase that says what is different since a proof; None where nothing is, or where
    either is not known (a proof from before the card was noted, a driver that is down)."""
    context = (record or {}).get("context")
    then = context.get("card") if isinstance(context, dict) else None
    if not then or card is None:
        return None
    now = {
        "name": card.name,
        "uuid": card.uuid,
        "driver": card.driver_version,
        "power_limit_w": card.power_limit_w,
    }
    for key in CARD_KEYS:
        if then.get(key) != now[key]:
            return (
                f"the {WORDS[key]} was {then.get(key)} when this was proven and is {now[key]} now"
            )
    return None


def stale(of: Generation, settings: Settings) -> str | None:
    """Why the proof of a generation on the current host counts no more, in one phrase."""
    if of.proven and of.proof is not None:
        gate = settings.min_speedup, settings.min_acceptance_length
        if short := proof.short_of(of.proof, *gate):
            return short
    # None on a host without a card of NVIDIA's.
    if settings.backend != "cuda":
        return None
    return changed(of.proof, chosen(host.get_fact(NvidiaSmi).cards, settings.gpu))
