"""A release that another host of the site has, or is to build: taken from there.

Hosts share a release where it was built from the same things for the same kind of machine:
distribution (its C library and OpenSSL), architecture and, unless `portable`, processor features.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.host import Host
from pyinfra.context import host, state

from llamarig.onhost.hub_cache import SHA256
from llamarig.paths import CACHE, RELEASES
from llamarig.settings import Settings
from llamarig.tasks import fan_out, giving, llama_cpp_job, others, sharing, site
from llamarig.tasks.cuda import choice
from llamarig.tasks.facts.driver import NvidiaDriver
from llamarig.tasks.facts.machine import Machine
from llamarig.tasks.facts.processor import Processor
from llamarig.tasks.facts.release import Release
from llamarig.tasks.llama_cpp_build import flags
from llamarig.tasks.release import release_id

ARCHIVES = f"{CACHE}/share"
# Asked once per run: what a host is does not change.
_kinds: dict[str, str] = {}
_tools: dict[str, bool] = {}


def kind(settings: Settings) -> str | None:
    """12 hex digits that are equal on hosts which may share a release; None where that can't be
    told, or no CUDA toolkit fits (building says why)."""
    if host.name not in _kinds and (found := _kind(settings)):
        _kinds[host.name] = found
    return _kinds.get(host.name)


def _kind(settings: Settings) -> str | None:
    chosen, machine = choice.current(settings), host.get_fact(Machine)
    processor = "any" if settings.portable else host.get_fact(Processor)
    if isinstance(chosen, str) or machine is None or processor is None:
        return None
    # What a tag names is the same for all of a site: llamarig.lock holds it.
    source = [settings.llama_cpp_source, settings.llama_cpp_url, settings.llama_cpp_tag,
              settings.llama_cpp_commit, settings.llama_cpp_sha256]  # fmt: skip
    what = [source, flags(settings, "0" * 40, chosen), settings.web_ui,
            chosen.version if chosen else None]  # fmt: skip
    where = [machine.distribution, machine.version, machine.architecture, processor]
    return hashlib.sha256(json.dumps([what, where]).encode()).hexdigest()[:12]


def key(settings: Settings) -> str | None:
    """The release's key among the things that hosts share; None: this host builds for itself."""
    found = kind(settings) if fan_out.applies(settings) else None
    return f"release {found}" if found else None


def lack(settings: Settings) -> None:
    """Have the current host counted among those that lack the release, if it does; said while the
    run is prepared. A release that is not known yet is lacking."""
    this, wanted = key(settings), release_id(settings)
    if this and not (wanted and host.get_fact(Release, build_id=wanted)):
        fan_out.lack(this)


def builds(settings: Settings) -> bool:
    """Whether the current host, which lacks the release, builds it itself."""
    this = key(settings)
    if this is None:
        return True
    if host.name not in fan_out.thing(this).lacking:
        return False  # nobody is asked for what is there
    fan_out.find(this, lambda: _holders(settings))
    return fan_out.maker(this) == host.name


def gets_tools(settings: Settings) -> bool:
    """Whether the current host gets what building needs: it builds, or it is for CUDA and has no
    driver's library, in whose place only the toolkit's stub lets a release start at all.

    Decided once in a run, for all operations of the toolchain: one that becomes the builder after
    another host failed gets the rest when it builds (`toolchain.for_building`).
    """
    if host.name in _tools:
        return _tools[host.name]
    found = builds(settings) or (
        settings.backend == "cuda" and not host.get_fact(NvidiaDriver).cuda_library
    )
    if state.is_executing:
        _tools[host.name] = found
    return found


def _holders(settings: Settings) -> list[str]:
    """Hosts of the site that have a release of the current host's kind."""
    known = [(each, site.settings_of(each.name)) for each in state.inventory]
    asked = [each for each, of in known if of and of.fan_out]
    wanted = shlex.quote(f'"build_kind": "{kind(settings)}"')
    answers = others.ask(asked, f"grep -ls {wanted} {RELEASES}/*/release.json; true")
    return [name for name, answer in answers.items() if answer]


def bring(settings: Settings, release: str) -> Generator[PyinfraCommand, None, bool]:
    """Have the release come from another host; False where the current host has to build it (part
    of an operation)."""
    this, chosen = key(settings), choice.current(settings)
    if this is None or isinstance(chosen, str):
        return False
    archive = f"{ARCHIVES}/{release}.tar"
    payload = giving.Payload(
        "release", release, sharing.RELEASE_SECONDS,
        lambda there: _archive(there, release, archive),
        before=[llama_cpp_job.packing(release, archive)], last_words=["/bin/rm", "-f", archive],
    )  # fmt: skip
    return (
        yield from sharing.bring(
            this, f"it builds {release}", lambda: _holders(settings), payload, settings,
            lambda found: llama_cpp_job.spec_from_hosts(settings, release, chosen, found),
        )
    )  # fmt: skip


def _archive(there: Host, release: str, archive: str) -> tuple[str, str] | None:
    """The archive that a host which has the release is about to make of it, and the sha256 that it
    had when it was new."""
    lines = others.answer(there, f"cat {RELEASES}/{release}/release.sha256")
    if not lines or not SHA256.fullmatch(lines[0].strip()):
        return None
    return archive, lines[0].strip()
