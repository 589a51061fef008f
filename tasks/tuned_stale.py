"""Whether what was tuned for a host still tells of its card and its model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pyinfra.context import host

from llamarig.settings import Settings
from llamarig.tasks import model_source, site
from llamarig.tasks.facts.nvidia_smi import chosen
from llamarig.tasks.facts.workstation import Workstation
from llamarig.tuned import PLACE
from llamarig.tuned_forms import EVIDENCE, KEYS

_AGAIN = "`llamarig tune` measures it anew"


def warnings(seen: Workstation, settings: Settings) -> list[str]:
    """A line for each thing that was another one when the current host was tuned. The entry is
    used all the same: it may still be the best, and was somebody's choice."""
    tuned, _ = site.tuned().read()
    card = chosen(seen.smi.cards, settings.gpu) if settings.backend == "cuda" else None
    sha256 = model_source.pins(settings)["sha256"]
    return differences(
        tuned.get(host.name, {}), site.own(host), card.name if card else None, sha256
    )


def differences(
    entry: Mapping[str, Any], own: Collection[str], card: str | None, sha256: object
) -> list[str]:
    """own: the keys that the inventory says of the host; where these beat the whole entry, nobody
    needs to know. sha256: the model's, None while it is not known."""
    evidence = entry.get(EVIDENCE) or {}
    if not evidence or set(KEYS) <= set(own):
        return []
    lines = []
    if evidence.get("card") != card:
        before = evidence.get("card") or "no card"
        lines.append(f"{PLACE}: tuned on {before}, this is {card or 'no card'}; {_AGAIN}")
    if sha256 and evidence.get("model_sha256") not in (None, sha256):
        lines.append(f"{PLACE}: tuned with another model; {_AGAIN}")
    return lines
