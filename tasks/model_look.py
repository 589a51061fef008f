"""Look before the leap: what the model's header says, before a byte of it is downloaded.

The controller reads it from the hub by HTTP range, a few MB of 16.8 GB. The answer is kept in
llamarig.lock, so a converged run asks nobody.
"""

from __future__ import annotations

from typing import Any

from gevent.lock import BoundedSemaphore
from pyinfra.context import host

from llamarig.display import say
from llamarig.errors import UserError
from llamarig.hub import asking, fit
from llamarig.hub.look import look
from llamarig.onhost import gguf_header
from llamarig.onhost.gguf_header import Header
from llamarig.settings import Settings
from llamarig.tasks import model_copy, model_job, model_source, part

# One host looks, the others take its answer.
_looking = BoundedSemaphore(1)
_unreachable: dict[str, str] = {}
GIB = 2**30


def problem(settings: Settings) -> str | None:
    """The one line that says why this model is not worth a download; None if it is, or if this
    machine can't tell (then the host judges it when it is there)."""
    source = model_job.source(settings)
    if source == "path":
        return None
    with _looking:
        try:
            seen = _local(settings) if source == "incoming" else _at_hub(settings)
        except (UserError, ValueError) as error:
            return str(error)
    if seen and settings.spec_type != "none" and seen.get("mtp_layers") == 0:
        return model_source.no_heads(settings, " in its header; nothing was downloaded")
    return None


def _local(settings: Settings) -> dict[str, Any]:
    """What the header of the file on this machine says."""
    path = model_copy.controller_file(settings)
    try:
        header = gguf_header.read(str(path))
    except OSError as error:
        raise UserError(f"model_local_file: {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"model_local_file: {path}: {error}") from None
    _tell(settings, header)
    return {"mtp_layers": header.nextn_predict_layers}


def _at_hub(settings: Settings) -> dict[str, Any]:
    """What the lock, this run or the hub knows of the file; nothing if the hub is out of reach."""
    found = model_source.known(settings)
    if "mtp_layers" in found:
        return found
    where = settings.hf_endpoint or "https://huggingface.co"
    if where not in _unreachable:
        try:
            revision = found.get("revision") or settings.model_revision
            found = look(settings, revision, seen=lambda header: _tell(settings, header))
        except asking.Unreachable as error:
            _unreachable[where] = str(error)
        else:
            model_source.saw(settings, found)
            return found
    if not part.follows():
        say(
            host.name,
            f"warning: this machine can't ask {where} ({_unreachable[where]}), so the model's "
            "header is judged only when the host has it",
        )
    return {}


def _tell(settings: Settings, header: Header) -> None:
    if line := context_line(settings, header):
        say(host.name, line)


def context_line(settings: Settings, header: Header) -> str | None:
    """What a context above the default's costs; None where it is not above."""
    default: int = Settings.model_fields["context"].default
    if settings.context <= default:
        return None

    def gib(context: int) -> str:
        size = fit.context_cost(
            header,
            context,
            cache_type_k=settings.cache_type_k,
            cache_type_v=settings.cache_type_v,
            parallel=settings.parallel,
            mtp=settings.spec_type != "none",
        )
        return f"{size / GIB:.1f} GiB"

    return (
        f"context {settings.context}: {gib(settings.context)} of K and V cache, "
        f"{default} would take {gib(default)}"
    )
