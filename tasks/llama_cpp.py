"""llama.cpp: source at a pinned commit, built into a release named by what it was built from."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.settings import Settings
from llamarig.tasks import site
from llamarig.tasks.cuda import choice
from llamarig.tasks.facts.machine import Machine
from llamarig.tasks.facts.release import Release, ReleaseState
from llamarig.tasks.facts.remote_tag import RemoteTag
from llamarig.tasks.llama_cpp_build import build_id, number
from llamarig.tasks.llama_cpp_job import spec
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step

__all__ = ["build", "build_id", "mismatch", "number", "origin", "release", "release_id"]


@step("llama.cpp")
def build() -> None:
    """Build the release, or find it built."""
    release(name="Build the release", settings=site.settings())


def origin(settings: Settings) -> str | None:
    """What pins the source: a commit, or the source package's sha256. None: not known yet.

    Order: the settings, llamarig.lock, and for a tag that nobody resolved yet the repository
    itself, as the host sees it; that answer is trusted on first use and written down.
    """
    if settings.llama_cpp_source == "pypi":
        return settings.llama_cpp_sha256
    if settings.llama_cpp_commit:
        return settings.llama_cpp_commit
    entry = f"{settings.llama_cpp_url} {settings.llama_cpp_tag}"
    known = site.lockfile().get("llama_cpp", entry).get("commit")
    if known:
        return str(known)
    if not state.is_executing:
        return None
    found: str | None = host.get_fact(
        RemoteTag, url=settings.llama_cpp_url, tag=settings.llama_cpp_tag
    )
    if found:
        site.lockfile().put("llama_cpp", entry, {"commit": found})
    return found


def release_id(settings: Settings) -> str | None:
    """The release that the settings ask for on the current host; None: not known yet, or no CUDA
    toolkit fits (building says why)."""
    commit, chosen = origin(settings), choice.current(settings)
    if commit is None or isinstance(chosen, str):
        return None
    return build_id(settings, commit, chosen)


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
    this = build_id(settings, commit, chosen)
    if state.is_executing:
        report.record(host.name, release=this)
    if found := host.get_fact(Release, build_id=this):
        report.record(host.name, build=found.document)
        host.noop(f"release {this} is there")
        return
    job = spec(settings, commit, chosen, host.get_fact(Machine))
    yield from jobs.start(job)
    if not state.is_executing:
        return
    if reason := jobs.wait(job, settings.build_timeout_minutes * 60):
        yield failure(reason)
    elif made := host.get_fact(Release, build_id=this):
        report.record(host.name, build=made.document)


def _announce(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Only in a plan: the commit is resolved when the deploy runs."""
    yield StringCommand(f"git ls-remote {shlex.quote(settings.llama_cpp_url)}")
