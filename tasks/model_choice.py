"""`model_quant`: which of a repository's files a host gets, by its card's memory.

Chosen once per memory size, context and cache types, then held by llamarig.lock: a new file in the
repository must not change what a host runs. `llamarig models update` chooses anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.context import host

from llamarig import report
from llamarig.display import say
from llamarig.errors import UserError
from llamarig.hub import asking, catalogue, fit, quant, remote_header
from llamarig.hub import token as hub_token
from llamarig.settings import Settings
from llamarig.tasks import site
from llamarig.tasks.findings.cards import chosen

if TYPE_CHECKING:
    from llamarig.tasks.facts.workstation import Workstation

MIB, GIB = 2**20, 2**30
UNKNOWN = "the card's memory is not known here; name the file with model_file"

# By host: the choice of this run, its key in the lock and the file.
_made: dict[str, tuple[str, str]] = {}


def choose(seen: Workstation, settings: Settings) -> str | None:
    """Have the current host's settings, which have a model_quant, name a file; the one line that
    says why that can't be."""
    try:
        memory = _memory(seen, settings) if settings.model_quant == "auto" else None
        file = _held(settings, memory) or _choose(settings, memory)
    except (UserError, ValueError) as error:
        return str(error)
    except asking.Unreachable as error:
        return f"model_quant: {error}; name the file with model_file instead"
    site.choose(settings.model_copy(update={"model_file": file, "model_quant": None}))
    return None


def _memory(seen: Workstation, settings: Settings) -> int:
    """Bytes that a model may take: the card's, or the machine's without a card."""
    if settings.backend == "cpu" and seen.machine is not None:
        return seen.machine.memory_bytes
    card = chosen(seen, settings) if settings.backend == "cuda" else None
    if card is None or card.memory_total_mib is None:
        raise UserError(f'model_quant "auto": {UNKNOWN}')
    return card.memory_total_mib * MIB


def _key(settings: Settings, memory: int | None) -> str:
    room = f" {memory // MIB} MiB" if memory else ""
    at = f"@{settings.model_revision}" if settings.model_revision else ""
    recipe = f"{settings.context} {settings.cache_type_k} {settings.cache_type_v}"
    depth = 0 if settings.spec_type == "none" else settings.draft_n_max
    recipe += f" {settings.parallel} {depth}"
    return f"{settings.model_repo}{at} {settings.model_quant}{room} {recipe}"


def _held(settings: Settings, memory: int | None) -> str | None:
    found = site.lockfile().get("choices", _key(settings, memory)).get("file")
    return str(found) if found else None


def _choose(settings: Settings, memory: int | None) -> str:
    token = hub_token.token(settings)
    listing = catalogue.listing(
        settings.model_repo, settings.model_revision, settings.hf_endpoint, token
    )
    if memory is None:
        file = quant.named(listing, str(settings.model_quant))
        why = f"{settings.model_quant} as asked"
    else:
        file, why = _largest(settings, listing, memory, token)
    say(host.name, f"model_quant: {file.name}, {file.size / 1e9:.1f} GB: {why}")
    report.record(host.name, model_choice={"file": file.name, "why": why})
    _made[host.name] = (_key(settings, memory), file.name)
    return file.name


def write_down() -> None:
    """Hold the current host's choice in llamarig.lock, once a download of it begins."""
    if host.name in _made:
        key, file = _made[host.name]
        site.lockfile().put("choices", key, {"file": file})


def _largest(
    settings: Settings, listing: catalogue.Listing, memory: int, token: str | None
) -> tuple[catalogue.GgufFile, str]:
    """The largest file that fits and the parts of its estimate; one header speaks for all files."""
    smallest = quant.smallest(listing)
    at = catalogue.resolve(
        settings.model_repo, smallest.name, listing.revision, settings.hf_endpoint, token
    )
    header = remote_header.read(at.url, token, size=at.size).header

    def need(size: int) -> fit.Estimate:
        return fit.estimate(
            header,
            size,
            context=settings.context,
            cache_type_k=settings.cache_type_k,
            cache_type_v=settings.cache_type_v,
            parallel=settings.parallel,
            mtp=settings.spec_type != "none",
            draft_n_max=settings.draft_n_max,
        )

    file = quant.choose(listing, memory, lambda each: need(each.size).total)
    return file, f"{need(file.size).describe()} of {memory / GIB:.1f} GiB"
