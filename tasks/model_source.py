"""Which model the settings mean, what is pinned of it, and what the host has of it."""

from __future__ import annotations

import hashlib
from typing import Any

from pyinfra.context import host

from llamarig.lockfile import model_key
from llamarig.onhost.hub_cache import Place
from llamarig.paths import MODELS
from llamarig.settings import Settings
from llamarig.tasks import site
from llamarig.tasks.facts.model_file import ModelFile, ModelRecord

# What the hub said in this run; it is in llamarig.lock once a host began to download.
_seen: dict[str, dict[str, Any]] = {}


def name(settings: Settings) -> str:
    """What people call the file."""
    return settings.model_path or settings.model_file


def no_heads(settings: Settings, known_by: str = "") -> str:
    """The line for a file that MTP can't speed up; known_by: how that is known."""
    return (
        f"model_file: {name(settings)} has no MTP heads (nextn_predict_layers is 0{known_by}), so "
        "nothing can speed it up; choose a model with MTP heads"
    )


def known(settings: Settings) -> dict[str, Any]:
    """What is known of the hub's file: by this run, else by the lock; nothing if neither, or if
    it is not what model_sha256 asks for."""
    if settings.model_path:
        return {}
    found = _seen.get(model_key(settings)) or site.lockfile().get("models", model_key(settings))
    if settings.model_sha256 and settings.model_sha256 != found.get("sha256"):
        return {}
    return found


def saw(settings: Settings, found: dict[str, Any]) -> None:
    """Keep what the hub said of the file for the rest of this run."""
    _seen[model_key(settings)] = found


def write_down(settings: Settings, found: dict[str, Any]) -> None:
    """Pin the file in llamarig.lock, unless it is there; what model_sha256 asks for goes first."""
    lock, name = site.lockfile(), model_key(settings)
    if settings.model_sha256 and lock.get("models", name).get("sha256") != settings.model_sha256:
        lock.replace("models", name, found)
    else:
        lock.put("models", name, found)


def pin(found: ModelRecord) -> dict[str, Any]:
    """A verified file as llamarig.lock has it."""
    return {
        "revision": found.revision,
        "sha256": found.sha256,
        "size": found.size,
        "mtp_layers": found.nextn_predict_layers,
    }


def pins(settings: Settings) -> dict[str, str | int | None]:
    """What the bytes must be: settings first, then what is known."""
    found = known(settings)
    return {
        "revision": found.get("revision") or settings.model_revision,
        "sha256": settings.model_sha256 or found.get("sha256"),
        "size": found.get("size"),
    }


def place(settings: Settings) -> Place | None:
    """Where the file lies on a host; None where not all of it is known.

    Raises:
        ValueError: that would lead out of hf_home.
    """
    known = pins(settings)
    if not all(known.values()):
        return None
    return Place(
        settings.hf_home, settings.model_repo, settings.model_file,
        str(known["revision"]), str(known["sha256"]), int(known["size"] or 0),
    )  # fmt: skip


def identity(settings: Settings) -> str:
    """Names the file's job and record. Not the endpoint: the same bytes come from any mirror."""
    pinned = settings.model_sha256 or settings.model_revision or ""
    where = settings.model_path or f"{settings.model_repo} {settings.model_file}"
    text = f"{where} {pinned} {settings.hf_home}"
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def record_path(settings: Settings) -> str:
    return f"{MODELS}/{identity(settings)}.json"


def record(settings: Settings) -> ModelRecord | None:
    """The verified file on the current host: there, untouched, and the one that is pinned."""
    found = host.get_fact(ModelFile, record=record_path(settings))
    pinned = pins(settings)["sha256"]
    if found is None or not found.untouched or (pinned and pinned != found.sha256):
        return None
    return found
