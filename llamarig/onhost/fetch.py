"""The model file on the host: resolved once, fetched, every byte judged by sha256, then placed.

`fetch.json` has repo, file, the pins revision, sha256 and size (each may be null), asked (the
revision that the user named, null for main), hf_home,
endpoint, token_file, result (where the record goes), min_free_bytes, rate_limit (bytes a second or
null), xet (let the hub's client fetch) and source:

hub         the hub or a mirror at endpoint (the default)
incoming    somebody put all bytes into the partial file; they are verified and placed
hosts       other hosts of the site gave all bytes into the partial file, likewise
path        a file that is on this host, at `path`, used where it lies
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from llamarig.onhost import curl, digest, hub_cache, hub_client, local_file, record
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json
from llamarig.onhost.hub_cache import Place, size_of
from llamarig.onhost.hub_client import Resolved
from llamarig.onhost.take import growing
from llamarig.onhost.transfer import Transfer

COPIED = ("incoming", "hosts")


def _pins(config: dict[str, Any]) -> Resolved | None:
    """The pins, if they say all that the hub could."""
    revision, sha256, size = (config.get(key) for key in ("revision", "sha256", "size"))
    if revision and sha256 and size and hub_cache.COMMIT.fullmatch(revision):
        return Resolved(revision, size, sha256)
    return None


def _place(config: dict[str, Any], found: Resolved) -> Place:
    try:
        return Place(
            config["hf_home"], config["repo"], config["file"],
            found.revision, found.sha256, found.size,
        )  # fmt: skip
    except ValueError as error:
        raise Stop(f"model_file: {error}") from None


def _resolve(config: dict[str, Any]) -> Resolved:
    """Pins, or what the hub says; nobody is asked when all bytes are here."""
    pins = _pins(config)
    if config.get("source") in COPIED:
        if pins is None:
            raise Stop("model_file: a copied file needs its revision, sha256 and size pinned")
        return pins
    if pins:
        place = _place(config, pins)
        if pins.size in (size_of(place.blob), size_of(place.partial)):
            return pins
    hub_client.prepare(config)
    try:
        return hub_client.resolve(config)
    except hub_client.Unreachable as fault:
        if pins is None:
            raise
        print(f"{fault.args[0]}; going on with what is pinned", flush=True)
        return pins


def _check_space(config: dict[str, Any], place: Place) -> None:
    have = os.stat(place.partial).st_blocks * 512 if os.path.exists(place.partial) else 0
    free = shutil.disk_usage(place.hf_home).free
    if line := hub_cache.no_room(place, have, int(config.get("min_free_bytes") or 0), free):
        raise Stop(line)


def _other_sha256(place: Place, path: str) -> str | None:
    """The sha256 that the file has if it is not the right one."""
    print("verifying sha256 over all bytes", flush=True)
    found = digest.sha256_on_disk(path)
    digest.progress(place.size, place.size)
    return None if found == place.sha256 else found


def _remove(place: Place, path: str, found: str) -> Stop:
    os.unlink(path)
    return Stop(
        f"model_file: {place.file} arrived with sha256 {found}, expected {place.sha256}; it was "
        "removed, run the same command again"
    )


def _usable(place: Place) -> bool:
    """Whether the cache has the right bytes already. Wrong ones stay until the right ones take
    their name: a generation may serve them, and must find a file there at every boot."""
    if not os.path.lexists(place.blob):
        return False
    try:
        if size_of(place.blob) == place.size and _other_sha256(place, place.blob) is None:
            return True
    except OSError as error:
        print(f"{place.blob} can't be read ({error.strerror})", flush=True)
    print(f"the copy of {place.file} in the cache has wrong bytes: fetching it anew", flush=True)
    with open(place.suspect, "wb"):
        return False


def _fill(config: dict[str, Any], place: Place, lock: int) -> None:
    """All bytes into the partial file."""
    have = size_of(place.partial)
    if have == place.size:
        return
    if config.get("source") in COPIED:
        raise Stop(
            f"model_file: {place.partial} has {have} of {place.size} bytes; run the same command "
            "again, it goes on copying"
        )
    # What other hosts gave of it has gaps, so it can't be gone on with from here.
    hub_cache.remove(growing(place.partial))
    _check_space(config, place)
    hub_client.prepare(config)
    request = curl.Request(
        hub_client.url(config, place.revision), hub_client.token(config), place.partial,
        config.get("rate_limit"),
    )  # fmt: skip
    Transfer(request, place.size, lambda *answer: hub_client.refusal(config, *answer)).run(lock)


def _bring(config: dict[str, Any], place: Place, lock: int) -> None:
    """The right bytes under the blob's name, or a Stop."""
    if _usable(place):
        return
    # The client takes any file of that name for the right one: beside a wrong one curl is used.
    if config.get("xet") and not os.path.lexists(place.blob):
        hub_cache.remove(place.partial)
        hub_cache.remove(growing(place.partial))
        _check_space(config, place)
        hub_client.prepare(config)
        hub_client.download(config, place)
        found = _other_sha256(place, place.blob)
        if found:
            raise _remove(place, place.blob, found)
        return
    _fill(config, place, lock)
    found = _other_sha256(place, place.partial)
    if found:
        raise _remove(place, place.partial, found)
    hub_cache.move(place.partial, place.blob)


def _done_before(config: dict[str, Any]) -> bool:
    if not record.already(config):
        return False
    print(f"{config['file']} is there and was verified before", flush=True)
    return True


def _into_cache(config: dict[str, Any]) -> None:
    os.makedirs(config["hf_home"], exist_ok=True)
    place = _place(config, _resolve(config))
    with hub_cache.locked(place) as lock:
        if _done_before(config):
            return
        _bring(config, place, lock)
        for leftover in (place.partial, growing(place.partial), place.suspect):
            hub_cache.remove(leftover)
        hub_cache.link(place, config.get("asked"))
        blob = os.path.realpath(place.blob)
        record.write(
            config, blob, os.stat(blob), repo=place.repo, file=place.file,
            endpoint=config.get("endpoint"), revision=place.revision, sha256=place.sha256,
            snapshot=place.snapshot,
        )  # fmt: skip


def main(path: str) -> int:
    """Bring what the config at `path` names, and record it."""
    config = read_json(path)
    if _done_before(config):
        return 0
    os.umask(0o022)
    try:
        if config.get("source") == "path":
            local_file.use(config)
        else:
            _into_cache(config)
    except OSError as error:
        where = error.filename or config["hf_home"]
        raise Stop(f"hf_home: {where}: {error.strerror or error}") from None
    return 0
