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
from llamarig.tasks import fan_out, release_hosts, site, toolchain, web_ui, web_ui_choice
from llamarig.tasks.cuda import choice
from llamarig.tasks.cuda.choice import Choice
from llamarig.tasks.facts.machine import Machine
from llamarig.tasks.facts.release import Release, ReleaseState
from llamarig.tasks.llama_cpp_build import build_id, number
from llamarig.tasks.llama_cpp_job import spec
from llamarig.tasks.llama_cpp_source import origin
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.release import release_id
from llamarig.tasks.step import step

__all__ = ["build", "build_id", "mismatch", "number", "origin", "release", "release_id"]


@step("llama.cpp")
def build() -> None:
    """Build the release, or find it built."""
    settings = site.settings()
    release(name=f"Build the release, {web_ui.announced(settings)}", settings=settings)


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
    """Have the release: found, taken from another host, or built in a detached job."""
    with fan_out.making(release_hosts.key(settings)):
        yield from _release(settings)


def _release(settings: Settings) -> Generator[PyinfraCommand, None, None]:
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
    yield from _have(settings, known, commit, chosen)


def _have(
    settings: Settings, known: Settings, commit: str, chosen: Choice | None
) -> Generator[PyinfraCommand, None, None]:
    """known: the settings with web_ui decided."""
    this = build_id(known, commit, chosen)
    if state.is_executing:
        report.record(host.name, release=this)
    if found := host.get_fact(Release, build_id=this):
        report.record(host.name, build=found.document)
        host.noop(f"release {this} is there")
        fan_out.made(release_hosts.key(settings))
        return
    if not state.is_executing and not release_hosts.builds(settings):
        report.record(host.name, release_from="hosts")
        yield StringCommand(f"true  # release {this} is taken from another host")
        return
    taken = state.is_executing and (yield from release_hosts.bring(settings, this))
    report.record(host.name, release_from="hosts" if taken else "build")
    if not taken:
        yield from _build(settings, known, commit, chosen)
    if state.is_executing and (made := host.get_fact(Release, build_id=this)):
        report.record(host.name, build=made.document)
        fan_out.made(release_hosts.key(settings))


def _build(
    settings: Settings, known: Settings, commit: str, chosen: Choice | None
) -> Generator[PyinfraCommand, None, None]:
    """Build it on the current host."""
    if state.is_executing:
        # Nothing to do, unless this host was to take it from one that failed.
        yield from toolchain.for_building(settings, chosen)
    try:
        page = web_ui.page(known) if state.is_executing and known.web_ui == "build" else b""
    except UserError as error:
        yield failure(f"{error}; {web_ui.MEND}")
        return
    kind = release_hosts.kind(settings)
    job = spec(known, commit, chosen, host.get_fact(Machine), page, kind)
    yield from jobs.start(job)
    if not state.is_executing:
        return
    if reason := jobs.wait(job, settings.build_timeout_minutes * 60):
        yield failure(reason)


def _announce(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Only in a plan: the commit, and how the page comes, are found out when the deploy runs."""
    yield StringCommand(f"git ls-remote {shlex.quote(settings.llama_cpp_url)}")
