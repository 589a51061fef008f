"""Whether a recorded proof still tells of the host as it is: the same card, driver, power limit."""

from __future__ import annotations

from pyinfra.context import host

from llamarig.onhost.context import CARD_KEYS
from llamarig.settings import Settings
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.facts.nvidia_smi import NvidiaSmi, SmiCard, chosen

WORDS = {"name": "card", "uuid": "card", "driver": "driver", "power_limit_w": "power limit"}


def changed(proof: dict[str, object] | None, card: SmiCard | None) -> str | None:
    """One phrase that says what is different since a proof; None where nothing is, or where
    either is not known (a proof from before the card was noted, a driver that is down)."""
    context = (proof or {}).get("context")
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
    """The same for a generation on the current host; None on a host without a card of NVIDIA's."""
    if settings.backend != "cuda":
        return None
    return changed(of.proof, chosen(host.get_fact(NvidiaSmi).cards, settings.gpu))
