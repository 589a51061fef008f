"""llama.cpp: source at a pinned commit, built into a release named by what it was built from."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.errors import UserError
from llamarig.settings import Settings
from llamarig.tasks import site, web_ui, web_ui_choice
from llamarig.tasks.cuda import choice
from llamarig.tasks.facts.machine import Machine
from llamarig.tasks.facts.release import Release, ReleaseState
from llamarig.tasks.llama_cpp_build import build_id, number
from llamarig.tasks.llama_cpp_job import spec
from llamarig.tasks.llama_cpp_source import origin
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step

__all__ = ["build", "build_id", "mismatch", "number", "origin", "release", "release_id"]


@step("llama.cpp")
def build() -> None:
    """Build the release, or find it built."""
    settings = site.settings()
    release(name=f"Build the release, {web_ui.announced(settings)}", settings=settings)


def release_id(settings: Settings) -> str | None:
    """The release that the settings ask for on the current host; None: not known yet (its source,
    or how its page comes), or no CUDA toolkit fits (building says why)."""
    commit, chosen = origin(settings), choice.current(settings)
    if commit is None or isinstance(chosen, str):
        return None
    known = web_ui_choice.resolved(settings, commit, chosen)
    return build_id(known, commit, chosen) if known else None


def mismatch(found: ReleaseState, compute_capability: int | None) -> str | None:
    """Why a CUDA release can't be for the host's card (89 for 8.9; None: no card is seen)."""
    if found.backend != "cuda" or compute_capability in (None, *found.machine_code):
        return None
    names = ", ".join(f"sm_{each}" for each in found.machine_code) or "no card"
    return (
        f"cuda_architecture: release {found.id} holds code for {names}, the card is "
        f"sm_{compute_capability}; set cuda_architecture = {compute_capability}"
    )


@operation()
def release(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have the release; build it in a detached job where it is missing."""
    commit = origin(settings)
    if commit is None:
        if state.is_executing:
            yield failure(
                f"llama_cpp_tag: {settings.llama_cpp_tag} not found at {settings.llama_cpp_url}, "
                "or the host can't reach it; give llama_cpp_commit, or another llama_cpp_url"
            )
        else:
            yield from _announce(settings)
        return
    chosen = choice.current(settings)
    if isinstance(chosen, str):
        yield failure(chosen)
        return
    known = web_ui_choice.resolved(settings, commit, chosen)
    if known is None and not state.is_executing:
        yield from _announce(settings)
        return
    # In a story of ours preflight has decided it.
    if known is None and (problem := web_ui.decide(settings)):
        yield failure(problem)
        return
    known = known or web_ui_choice.resolved(settings, commit, chosen) or settings
    this = build_id(known, commit, chosen)
    if state.is_executing:
        report.record(host.name, release=this)
    if found := host.get_fact(Release, build_id=this):
        report.record(host.name, build=found.document)
        host.noop(f"release {this} is there")
        return
    try:
        page = web_ui.page(known) if state.is_executing and known.web_ui == "build" else b""
    except UserError as error:
        yield failure(f"{error}; {web_ui.MEND}")
        return
    job = spec(known, commit, chosen, host.get_fact(Machine), page)
    yield from jobs.start(job)
    if not state.is_executing:
        return
    if reason := jobs.wait(job, settings.build_timeout_minutes * 60):
        yield failure(reason)
    elif made := host.get_fact(Release, build_id=this):
        report.record(host.name, build=made.document)


def _announce(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Only in a plan: the commit, and how the page comes, are found out when the deploy runs."""
    yield StringCommand(f"git ls-remote {shlex.quote(settings.llama_cpp_url)}")
