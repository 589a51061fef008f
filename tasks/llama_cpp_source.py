"""What pins llama.cpp's source: one answer for every host, and for the page built here."""

from __future__ import annotations

from pyinfra.context import host, state

from llamarig.settings import Settings
from llamarig.tasks import site
from llamarig.tasks.facts.remote_tag import RemoteTag


def _entry(settings: Settings) -> str:
    return f"{settings.llama_cpp_url} {settings.llama_cpp_tag}"


def pinned(settings: Settings) -> str | None:
    """A commit, or the source package's sha256, as settings or llamarig.lock have it."""
    if settings.llama_cpp_source == "pypi":
        return settings.llama_cpp_sha256
    if settings.llama_cpp_commit:
        return settings.llama_cpp_commit
    known = site.lockfile().get("llama_cpp", _entry(settings)).get("commit")
    return str(known) if known else None


def write_down(settings: Settings, commit: str) -> None:
    """Hold the commit that a tag was seen to name, unless the lock has one."""
    site.lockfile().put("llama_cpp", _entry(settings), {"commit": commit})


def origin(settings: Settings) -> str | None:
    """What pins the source; None: not known yet.

    A tag that nobody resolved yet is asked for at the repository itself, as the host sees it; that
    answer is trusted on first use and written down.
    """
    known = pinned(settings)
    if known or not state.is_executing or settings.llama_cpp_source == "pypi":
        return known
    found: str | None = host.get_fact(
        RemoteTag, url=settings.llama_cpp_url, tag=settings.llama_cpp_tag
    )
    if found:
        write_down(settings, found)
    return found
