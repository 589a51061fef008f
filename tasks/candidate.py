"""The generation that the settings ask for on a host, and why it could not be proven there."""

from __future__ import annotations

from pyinfra.context import host, state

from llamarig.settings import Settings
from llamarig.tasks import generation, llama_cpp, model_source, plan_diff, recipe_flags
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState
from llamarig.tasks.facts.nvidia_smi import NvidiaSmi, chosen
from llamarig.tasks.facts.release import Release
from llamarig.tasks.facts.systemd_version import SystemdVersion


def rendered(settings: Settings, known: GenerationState) -> generation.Rendered | None:
    """The generation that the settings ask for, numbered as the host has it, or as the next."""
    release = llama_cpp.release_id(settings)
    found = model_source.record(settings)
    model = (found.path, found.sha256) if found else None
    if model is None and not state.is_executing:
        model = plan_diff.expected_model(settings, known)
    if release is None or model is None:
        return None
    systemd = host.get_fact(SystemdVersion)
    first = generation.render(settings, 0, release, *model, systemd=systemd)
    same = known.candidate(first.digest)
    number = same.number if same else known.next_number
    return generation.render(settings, number, release, *model, systemd=systemd)


def candidate(settings: Settings) -> tuple[GenerationState, Generation | None]:
    """What the host has, and of it the generation that the settings ask for."""
    known: GenerationState = host.get_fact(Generations)
    asked = rendered(settings, known) if known.all else None
    return known, known.number(asked.number) if asked else None


def unfit(settings: Settings, candidate: Generation) -> list[str]:
    """Why proving can't end well: the recipe and the card against the release itself."""
    this = candidate.manifest["release"]
    lines = recipe_flags.faults(settings, this)
    if settings.backend == "cuda":
        release = host.get_fact(Release, build_id=this)
        card = chosen(host.get_fact(NvidiaSmi).cards, settings.gpu)
        wrong = llama_cpp.mismatch(release, card.compute_capability) if release and card else None
        lines += [wrong] if wrong else []
    return lines
