"""What the hub offers: a repository's models, and what one of them is.

Paths, lines on a terminal and downloads are made of a hub's answers, and an http endpoint's may
come from anybody on the way: nothing is taken that does not look like a hub's own.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from llamarig import values
from llamarig.errors import UserError
from llamarig.hub.asking import (
    LIMIT,
    SECONDS,
    Unreachable,
    chunks,
    failure,
    odd,
    quiet,
    refused,
    stream,
    wanted_of,
    within,
)
from llamarig.onhost import hub_client
from llamarig.onhost.hub_cache import COMMIT, SHA256

# A listing takes some 300 bytes a file.
MOST_BYTES = 32 * 2**20
MOST_SIZE = 2**50
SPLIT = re.compile(r"(?P<stem>.+)-(?P<part>[0-9]{5})-of-(?P<parts>[0-9]{5})\.gguf")
MODEL_FILE = TypeAdapter[str](values.ModelFile)
# Vision projectors and importance matrices are GGUF files, but no models.
NO_MODEL = re.compile(r"mmproj|imatrix", re.IGNORECASE)
# A quantization as file names have it: Q4_K_M, IQ4_XS, UD-Q4_K_XL, BF16.
QUANT = re.compile(
    r"(?<![A-Z0-9])((?:UD-)?I?Q\d_(?:K(?:_(?:XXL|XL|L|M|S|XS))?|\d|NL|XXS|XS|S|M)"
    r"|TQ\d_\d|BF16|F16|F32|MXFP4(?:_MOE)?|NVFP4)(?![A-Z0-9])"
)


@dataclass(frozen=True)
class GgufFile:
    """A model in one file: bytes, 64 hex of its sha256 (None where the hub does not say), and its
    quantization by its name ("" if that names none)."""

    name: str
    size: int
    sha256: str | None
    quant: str


@dataclass(frozen=True)
class SplitFile:
    """A model in several files, which we don't deploy: the first one's name, bytes of all; parts:
    how many are there, of: how many there should be by their names."""

    name: str
    size: int
    parts: int
    quant: str
    of: int


@dataclass(frozen=True)
class Listing:
    """A repository's models at a commit (40 hex), from the smallest to the largest."""

    repo: str
    revision: str
    files: tuple[GgufFile, ...]
    split: tuple[SplitFile, ...]


@dataclass(frozen=True)
class Resolved:
    """What the hub says of a file: 40 hex of the commit, bytes, 64 hex of its sha256, and its
    address at that commit."""

    revision: str
    size: int
    sha256: str
    url: str


def quant(name: str) -> str:
    """The quantization that a file's name ends with, in capitals; "" if it names none."""
    stem = os.path.basename(name).upper().removesuffix(".GGUF")
    found = QUANT.findall(stem)
    return str(found[-1]) if found else ""


def listing(
    repo: str, revision: str | None, endpoint: str | None, token: str | None, limit: float = LIMIT
) -> Listing:
    """The models of a repository at a revision (None: main). Files that model_file could not name
    are left out. limit: seconds for all of it.

    Raises:
        UserError: gated, missing or private, no such revision, a bad token, no model in it, or no
            hub's answer.
        Unreachable: no answer.
    """
    wanted = wanted_of(repo, "", revision, endpoint)
    commit, siblings = _parsed(wanted, within(wanted, limit, lambda at: _body(wanted, token, at)))
    _same_commit(wanted, revision, commit)
    named = [(name, each) for name, each in siblings if _is_model(name)]
    models = {
        name: (_size(wanted, name, each), _sha256(wanted, name, each))
        for name, each in named
        if _can_be_named(name) and each.get("size") != 0
    }
    if not models:
        which = "that model_file could name" if named else ""
        line = f"{repo} has no GGUF file {which}".rstrip()
        raise UserError(f"model_repo: {line}; see {wanted['endpoint']}/{repo}/tree/main")
    return sort(repo, commit, models)


def _body(wanted: dict[str, Any], token: str | None, until: float) -> bytes:
    """The hub's answer to what is in a repository."""
    api = f"{wanted['endpoint']}/api/models/{wanted['repo']}"
    address = f"{api}/revision/{quote(wanted['revision'], safe='')}?blobs=true"
    try:
        with stream(address, token, {"Accept-Encoding": "identity"}, SECONDS) as reply:
            if reply.status_code != 200:
                raise refused(wanted, reply)
            body = bytearray()
            for chunk in chunks(reply, until):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise odd(wanted, f"listing of at most {MOST_BYTES // 2**20} MiB")
            return bytes(body)
    except (UserError, Unreachable):
        raise
    except Exception as error:
        raise failure(wanted, error) from None


def _parsed(wanted: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """A listing's commit, and what it says of each file."""
    try:
        found = json.loads(body)
        siblings = [(each["rfilename"], each) for each in found["siblings"]]
        commit = found["sha"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise odd(wanted, "listing of a repository") from None
    if not all(isinstance(name, str) and isinstance(each, dict) for name, each in siblings):
        raise odd(wanted, "listing of a repository")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise odd(wanted, f"commit of {wanted['repo']}")
    return commit, siblings


def _same_commit(wanted: dict[str, Any], revision: str | None, commit: str) -> None:
    """A commit names itself: other files under its name would pass for those that were pinned."""
    if revision and COMMIT.fullmatch(revision) and commit != revision:
        raise odd(wanted, f"commit {revision} of {wanted['repo']} but {commit}")


def _is_model(name: str) -> bool:
    return name.endswith(".gguf") and not NO_MODEL.search(name)


def _can_be_named(name: str) -> bool:
    """Whether the setting model_file takes the name, or would if the file weren't one of several:
    then something as long stands for its number."""
    part = SPLIT.fullmatch(name)
    try:
        MODEL_FILE.validate_python(f"{part['stem']}{'x' * 15}.gguf" if part else name)
    except ValueError:
        return False
    return True


def _size(wanted: dict[str, Any], name: str, sibling: dict[str, Any]) -> int:
    size = sibling.get("size")
    if type(size) is not int or not 1 <= size <= MOST_SIZE:
        raise odd(wanted, f"size of {name}")
    return size


def _sha256(wanted: dict[str, Any], name: str, sibling: dict[str, Any]) -> str | None:
    """Only large files have one; the tree's listing and the repository's call it differently."""
    large = sibling.get("lfs") or {}
    found = (large.get("sha256") or large.get("oid")) if isinstance(large, dict) else large
    if found is not None and not (isinstance(found, str) and SHA256.fullmatch(found)):
        raise odd(wanted, f"sha256 of {name}")
    return found


def sort(repo: str, revision: str, models: dict[str, tuple[int, str | None]]) -> Listing:
    """The listing of models: file names to (bytes, sha256)."""
    whole, parts = [], dict[tuple[str, int], list[str]]()
    for name in sorted(models):
        if part := SPLIT.fullmatch(name):
            parts.setdefault((part["stem"], int(part["parts"])), []).append(name)
        else:
            whole.append(GgufFile(name, *models[name], quant(name)))
    split = [
        SplitFile(names[0], sum(models[name][0] for name in names), len(names), quant(stem), of)
        for (stem, of), names in parts.items()
    ]
    return Listing(
        repo,
        revision,
        tuple(sorted(whole, key=lambda each: each.size)),
        tuple(sorted(split, key=lambda each: each.size)),
    )


def url(repo: str, file: str, revision: str, endpoint: str | None) -> str:
    """A file's address at a commit."""
    quiet()
    return hub_client.url(wanted_of(repo, file, revision, endpoint), revision)


def resolve(
    repo: str, file: str, revision: str | None, endpoint: str | None, token: str | None,
    limit: float = LIMIT,
) -> Resolved:  # fmt: skip
    """What the hub has under a name at a revision (None: main). limit: seconds for all of it.

    Raises:
        UserError: gated, missing or private repository, no such revision or file, a bad token, a
            file so small that the hub keeps no sha256 of it, or no hub's answer.
        Unreachable: no answer.
    """
    wanted = wanted_of(repo, file, revision, endpoint)
    found = within(wanted, limit, lambda until: _metadata(wanted, token))
    commit, size, digest = found.commit_hash or "", found.size, found.etag or ""
    if not COMMIT.fullmatch(commit):
        raise odd(wanted, f"commit of {repo}")
    _same_commit(wanted, revision, commit)
    if not SHA256.fullmatch(digest):
        raise UserError(f"model_file: the hub gives no sha256 for {file}; is it a large file?")
    if size is None or not 1 <= size <= MOST_SIZE:
        raise odd(wanted, f"size of {file}")
    return Resolved(commit, size, digest, url(repo, file, commit, endpoint))


def _metadata(wanted: dict[str, Any], token: str | None) -> Any:
    """What the headers of a file say, without its bytes."""
    quiet()
    from huggingface_hub import get_hf_file_metadata

    address = hub_client.url(wanted, wanted["revision"])
    try:
        return get_hf_file_metadata(
            address, token=token or False, timeout=SECONDS, endpoint=wanted["endpoint"]
        )
    except Exception as error:
        raise failure(wanted, error) from None
