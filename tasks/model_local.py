"""The model's file on this machine, which hosts without a way out get a copy of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from llamarig.errors import UserError
from llamarig.onhost import gguf_header
from llamarig.onhost.hub_cache import COMMIT
from llamarig.settings import Settings

_SNAPSHOT = re.compile(r"/snapshots/([0-9a-f]{40})/")


def local_file(settings: Settings, revision: str | None, cache: Path | None = None) -> Path:
    """`model_local_file`, else the file of that revision (None: main) in the hub's cache on this
    machine (None: where the hub's client keeps it).

    Raises:
        UserError: it is not there, or not readable.
    """
    if settings.model_local_file:
        path = Path(settings.model_local_file).expanduser()
    else:
        path = _cached(settings, revision, cache)
    if path.exists() and not path.is_file():
        raise UserError(f"model_local_file: {path} is no regular file; name the GGUF itself")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise UserError(f"model_local_file: {path}: {error.strerror}") from None
    return path


def _cached(settings: Settings, revision: str | None, cache: Path | None) -> Path:
    # Not at the top: it takes most of a second, and few runs need it.
    from huggingface_hub import try_to_load_from_cache

    repo, file = settings.model_repo, settings.model_file
    found = try_to_load_from_cache(repo, file, cache_dir=cache, revision=revision)
    if isinstance(found, str):
        return Path(found)
    at = f" --revision {revision}" if revision else ""
    raise UserError(
        f"model_from: {file} is not in this machine's hub cache: `hf download {repo} {file}{at}`, "
        "or set model_local_file"
    )


def pinned(settings: Settings, path: Path, pins: dict[str, Any], sha256: str) -> dict[str, Any]:
    """What the copied bytes are: revision, sha256, size and mtp_layers, as llamarig.lock has it.

    A file that came from no hub has no commit: the first 40 digits of its sha256 stand in.

    Raises:
        UserError: it is not the file that is pinned, or no GGUF.
    """
    wanted = pins["sha256"]
    if wanted and wanted != sha256:
        pin = "model_sha256" if settings.model_sha256 else "llamarig.lock"
        raise UserError(
            f"model_local_file: {path} has sha256 {sha256}, {pin} holds {wanted}; bring that file "
            "here, or take the pin away to deploy this one"
        )
    try:
        header = gguf_header.read(str(path))
    except (OSError, ValueError) as error:
        raise UserError(f"model_local_file: {path}: {error}") from None
    of_cache = _SNAPSHOT.search(str(path))
    revision = pins["revision"] or ""
    if not COMMIT.fullmatch(revision):
        revision = of_cache[1] if of_cache else sha256[:40]
    return {
        "revision": revision,
        "sha256": sha256,
        "size": path.stat().st_size,
        "mtp_layers": header.nextn_predict_layers,
    }
