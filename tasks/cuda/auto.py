"""cuda_source auto: the first source that fits, and what each before it lacked. Pure."""

from __future__ import annotations

from dataclasses import replace

from llamarig.tasks.cuda import advice
from llamarig.tasks.cuda.asked import NAMES, Asked, Choice, Unfit
from llamarig.tasks.cuda.mending import mended, with_keyring
from llamarig.tasks.cuda.sources import LOOK, live


def auto(asked: Asked, nvidia_reachable: bool) -> Choice | Unfit:
    """The repository of NVIDIA is passed over where it does not answer the host."""
    if kept := live(asked):
        return kept
    passed: list[str] = []
    unfit: list[Unfit] = []
    for source, look in LOOK.items():
        found = look(asked)
        if isinstance(found, Unfit) and found.topic == "cuda_home":
            return mended(asked, found)  # somebody named that folder: any other would be a surprise
        if isinstance(found, Choice) and (source != "nvidia" or nvidia_reachable):
            over = f"; passed over: {', '.join(passed)}" if passed else ""
            return replace(found, why=f"the first that fits{over}")
        if isinstance(found, Unfit):
            unfit.append(found)
        reason = found.found if isinstance(found, Unfit) else "it does not answer this host"
        passed.append(f"{NAMES[source]} ({reason})")
    fix = advice.by_hand(asked.settings)
    if asked.pinned:
        other = "set another cuda_version"
        fix = other if asked.problems(asked.pinned) else f"{fix}; or {other}"
    drivers = [each.driver for each in unfit if each.driver]
    gcc = max(each.gcc for each in unfit)
    told = f"nothing fits: {', '.join(passed)}"
    nothing = Unfit("cuda_source", told, fix, min(drivers, default=0), gcc)
    return mended(asked, with_keyring(asked, nothing))
