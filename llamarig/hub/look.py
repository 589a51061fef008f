"""All that is worth knowing of a model before a byte of it is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llamarig.errors import UserError
from llamarig.hub import catalogue, remote_header
from llamarig.hub.token import token
from llamarig.onhost.gguf_header import Header
from llamarig.settings import Settings


def look(
    settings: Settings, revision: str | None, seen: Callable[[Header], None] | None = None
) -> dict[str, Any]:
    """What the hub says of the settings' file at a revision (None: main), as llamarig.lock keeps
    it: revision and sha256 in hex, size in bytes, mtp_layers from its header. seen: is given all
    of that header.

    Raises:
        UserError: gated, missing, or no GGUF; or not the bytes that model_sha256 asks for.
        asking.Unreachable: the hub does not answer.
        ValueError: hf_token_file holds no token.
    """
    secret = token(settings)
    at = catalogue.resolve(
        settings.model_repo, settings.model_file, revision, settings.hf_endpoint, secret
    )
    if settings.model_sha256 and settings.model_sha256 != at.sha256:
        raise UserError(
            f"model_sha256: the hub says {at.sha256}, expected {settings.model_sha256}; nothing "
            "was downloaded"
        )
    header = remote_header.read(at.url, secret, size=at.size).header
    if seen:
        seen(header)
    return {
        "revision": at.revision,
        "sha256": at.sha256,
        "size": at.size,
        "mtp_layers": header.nextn_predict_layers,
    }
