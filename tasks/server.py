"""The server: staged as a generation, proven on the host, and only then live."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.operations import files
from pyinfra.operations import server as stock

from llamarig.paths import CURRENT, LIVE_UNIT, UNIT_LINK, WANTS_LINK
from llamarig.settings import Settings
from llamarig.tasks import (
    api_key,
    candidate,
    check,
    firewall,
    generation_prune,
    live,
    part,
    plan_diff,
    proving,
    site,
    staged,
)
from llamarig.tasks.cuda import nodes
from llamarig.tasks.facts.generation import Generations
from llamarig.tasks.operations import accounts, generations
from llamarig.tasks.step import step


@step("Server")
def stage() -> None:
    """The service's user, and a generation with everything it needs; nothing live yet."""
    settings = site.settings()
    groups = ["render"] if settings.backend == "vulkan" else []
    accounts.noted(
        name="Note the accounts to be made",
        users=[settings.service_user],
        groups=[settings.service_user, *groups],
    )
    accounts.service_user(name="Make the service's user", user=settings.service_user)
    for group in groups:
        # The unit asks for it; a host without a desktop has no such group.
        stock.group(name="Make the render nodes' group", group=group, system=True)
    api_key.have(name="Have the site's API key", settings=settings)
    nodes.awaited(name="Await the card", settings=settings)
    # What serves keeps its port until the candidate has taken over.
    firewall.admit(name="Admit the networks", settings=settings, also_live=True)
    stage_generation(name="Stage a generation", settings=settings)
    # The links may dangle until something is proven; from then on every boot serves `current`.
    files.link(name="Link the unit", path=UNIT_LINK, target=f"{CURRENT}/{LIVE_UNIT}")
    files.link(name="Start it at boot", path=WANTS_LINK, target=UNIT_LINK)


@step("Proof")
def prove() -> None:
    """Measure the candidate on the host; the same job lets it serve if it passes. In a rollout
    that is when the host's wave comes."""
    if part.stages_only():
        staged.tell(name="Tell what is staged", settings=site.settings())
        return
    proving.prove(name="Prove the candidate", settings=site.settings(), force=False)


@step("Switch")
def switch() -> None:
    """Serve what `current` names, now and after every boot; what is long past goes."""
    if part.stages_only():
        return
    settings = site.settings()
    live.serve(name="Serve the proven generation", settings=settings)
    firewall.admit(name="Admit the networks to its port alone", settings=settings, also_live=False)
    generation_prune.prune(name="Prune old generations")
    check.timed(name="Measure it from time to time", settings=settings)


@step("Smoke test")
def smoke() -> None:
    """Measure what is live once more, on the host. What serves, serves on whatever comes out."""
    proving.prove(name="Measure the live server", settings=site.settings(), force=True)


@operation()
def stage_generation(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Write the generation unless the host has it."""
    known = host.get_fact(Generations)
    rendered = candidate.rendered(settings, known)
    if rendered is None:
        if known.all:  # else it is certain
            plan_diff.later("Stage a generation", "the model is there")
        yield StringCommand("true  # known once the model is there")
        return
    if known.number(rendered.number):
        host.noop(f"generation {rendered.number} is staged")
        return
    plan_diff.record(rendered, known)
    yield from generations.put(rendered)
