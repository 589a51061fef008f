"""What somebody changed on a host behind llamarig's back. Pure: no host is asked."""

from __future__ import annotations

import hashlib

from llamarig.paths import CURRENT, LIVE_UNIT, RELEASES, UNIT_LINK
from llamarig.tasks import plan_diff
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.facts.generation_files import FolderState
from llamarig.tasks.facts.service_unit import UnitState
from llamarig.tasks.generation import UNITS, Rendered

# What a generation is made of; its proofs come later and its manifest is what we compare with.
OURS = (*UNITS, "recipe.json")


def edited(live: Generation, found: FolderState, rendered: Rendered | None) -> list[str]:
    """Lines for files of the live generation that are not as they were staged.

    rendered: the same generation from the settings, None where they ask for another one: then
    only a manifest that holds the files' sha256 (`files`) tells, and not which lines.
    """
    sums = live.manifest.get("files")
    lines = []
    for name in OURS:
        wanted = rendered.files.get(name) if rendered else None
        there = found.files.get(name)
        staged = sums.get(name) if sums else _sha256(wanted)
        if staged is not None and staged != _sha256(there):
            lines.append(_line(live, name, there, wanted))
    return lines + _links(live, found)


def _line(live: Generation, name: str, there: str | None, wanted: str | None) -> str:
    what = f"{name} of generation {live.number}"
    if there is None:
        return f"{what} was removed by hand; `llamarig up` makes another generation"
    which = ""
    if wanted is not None:
        pair = plan_diff.readable(wanted), plan_diff.readable(there)
        which = f" ({plan_diff.some(plan_diff.changes(*pair)) or 'only in its comments'})"
    return f"{what} was edited by hand{which}; `llamarig up` makes one without that"


def _links(live: Generation, found: FolderState) -> list[str]:
    wanted = {
        "release": f"{RELEASES}/{live.manifest['release']}",
        "model.gguf": live.manifest["model"]["path"],
    }
    return [
        f"{name} of generation {live.number} leads to {found.links.get(name, 'nothing')}, "
        f"not to {target}; `llamarig up` makes another generation"
        for name, target in wanted.items()
        if found.links.get(name) != target
    ]


def unit(found: UnitState) -> list[str]:
    """Lines for the unit's place in systemd: drop-ins, and links that lead elsewhere."""
    lines = [
        f"{path} changes the unit; remove it, then: systemctl daemon-reload"
        for path in found.drop_ins
    ]
    if found.own_file:
        lines.append(
            f"{UNIT_LINK} is a file of its own, not llamarig's link (systemctl edit --full?): "
            "what is deployed is not what starts; remove it, then: llamarig up"
        )
    elif not found.link:
        lines.append(f"{UNIT_LINK} is gone; `llamarig up` puts it back")
    elif found.link != f"{CURRENT}/{LIVE_UNIT}":
        lines.append(f"{UNIT_LINK} leads to {found.link}; `llamarig up` puts it right")
    if not found.wants:
        lines.append("it does not start at boot (systemctl disable?); `llamarig up` mends that")
    return lines


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()
