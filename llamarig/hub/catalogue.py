"""What the hub offers: a repository's models, and what one of them is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from llamarig.errors import UserError
from llamarig.onhost import hub_client
from llamarig.onhost.transfer import PASSING

SECONDS = 15.0
SPLIT = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf")
# Vision projectors and importance matrices are GGUF files, but no models.
NO_MODEL = re.compile(r"mmproj|imatrix", re.IGNORECASE)
# A quantization as file names have it: Q4_K_M, IQ4_XS, UD-Q4_K_XL, BF16.
QUANT = re.compile(
    r"(?<![A-Z0-9])((?:UD-)?I?Q\d_(?:K(?:_(?:XXL|XL|L|M|S|XS))?|\d|NL|XXS|XS|S|M)"
    r"|TQ\d_\d|BF16|F16|F32|MXFP4(?:_MOE)?|NVFP4)(?![A-Z0-9])"
)


class Unreachable(Exception):  # noqa: N818 - it says nothing against what was asked for
    """The hub does not answer, or only that it can't now. One line."""


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
    """A model in several files, which we don't deploy: the first one's name, bytes of all."""

    name: str
    size: int
    parts: int
    quant: str


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


def _wanted(repo: str, file: str, revision: str | None, endpoint: str | None) -> dict[str, Any]:
    """What is asked for, as the lines of a refusal name it."""
    where = (endpoint or hub_client.HUB).rstrip("/")
    return {"repo": repo, "file": file, "revision": revision or "main", "endpoint": where}


def failure(wanted: dict[str, Any], error: Exception) -> UserError | Unreachable:
    """The hub client's exception as one line, the same that a host's download says."""
    line = hub_client.explain(wanted, error)
    kind = Unreachable if isinstance(line, hub_client.Unreachable) else UserError
    return kind(str(line))


def refused(wanted: dict[str, Any], reply: Any) -> UserError | Unreachable:
    """An HTTP refusal of the hub as one line, without the address, which may be signed."""
    status = int(reply.status_code)
    if status >= 500 or status in PASSING:
        return Unreachable(f"{wanted['endpoint']} answers {status}; run the same command again")
    headers = {name.lower(): reply.headers[name] for name in reply.headers}
    return UserError(str(hub_client.refusal(wanted, status, headers)))


@contextmanager
def stream(
    address: str, token: str | None, headers: dict[str, str], timeout: float
) -> Iterator[Any]:
    """A GET through the hub client's own session: its proxies, its certificates. It takes the
    token away from a redirect to another host. timeout: seconds without a byte."""
    _quiet()
    from huggingface_hub import get_session

    secret = {"Authorization": f"Bearer {token}"} if token else {}
    with get_session().stream(
        "GET", address, headers={**headers, **secret}, timeout=timeout
    ) as reply:
        yield reply


def _quiet() -> None:
    """Must happen before huggingface_hub is imported: it reads these once."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"


def listing(repo: str, revision: str | None, endpoint: str | None, token: str | None) -> Listing:
    """The models of a repository at a revision (None: main).

    Raises:
        UserError: gated, missing or private, no such revision, a bad token, or no model in it.
        Unreachable: no answer.
    """
    wanted = _wanted(repo, "", revision, endpoint)
    where = wanted["endpoint"]
    address = f"{where}/api/models/{repo}/revision/{quote(wanted['revision'], safe='')}?blobs=true"
    try:
        with stream(address, token, {}, SECONDS) as reply:
            if reply.status_code >= 400:
                raise refused(wanted, reply)
            reply.read()
            commit, siblings = reply.json()["sha"], reply.json()["siblings"]
            models = {
                each["rfilename"]: (int(each["size"]), _sha256(each)) for each in siblings
                if each["rfilename"].endswith(".gguf") and not NO_MODEL.search(each["rfilename"])
            }  # fmt: skip
    except (UserError, Unreachable):
        raise
    except Exception as error:
        raise failure(wanted, error) from None
    found = sort(repo, str(commit), models)
    if not models:
        raise UserError(f"model_repo: {repo} has no GGUF file; see {where}/{repo}/tree/main")
    return found


def _sha256(sibling: dict[str, Any]) -> str | None:
    """Only large files have one; the tree's listing and the repository's call it differently."""
    large = sibling.get("lfs") or {}
    found = large.get("sha256") or large.get("oid")
    return str(found) if found else None


def sort(repo: str, revision: str, models: dict[str, tuple[int, str | None]]) -> Listing:
    """The listing of models: file names to (bytes, sha256)."""
    whole, parts = [], dict[str, list[str]]()
    for name in sorted(models):
        if part := SPLIT.fullmatch(name):
            parts.setdefault(part["stem"] + part["parts"], []).append(name)
        else:
            whole.append(GgufFile(name, *models[name], quant(name)))
    split = [
        SplitFile(
            names[0], sum(models[name][0] for name in names), len(names), quant(_stem(names[0]))
        )
        for names in parts.values()
    ]
    return Listing(
        repo,
        revision,
        tuple(sorted(whole, key=lambda each: each.size)),
        tuple(sorted(split, key=lambda each: each.size)),
    )


def _stem(name: str) -> str:
    found = SPLIT.fullmatch(name)
    return found["stem"] if found else name


def url(repo: str, file: str, revision: str, endpoint: str | None) -> str:
    """A file's address at a commit."""
    _quiet()
    return hub_client.url(_wanted(repo, file, revision, endpoint), revision)


def resolve(
    repo: str, file: str, revision: str | None, endpoint: str | None, token: str | None
) -> Resolved:
    """What the hub has under a name at a revision (None: main).

    Raises:
        UserError: gated, missing or private repository, no such revision or file, a bad token, or
            a file so small that the hub keeps no sha256 of it.
        Unreachable: no answer.
    """
    _quiet()
    from huggingface_hub import get_hf_file_metadata

    wanted = _wanted(repo, file, revision, endpoint)
    address = url(repo, file, revision or "main", endpoint)
    try:
        found = get_hf_file_metadata(
            address, token=token or False, timeout=SECONDS, endpoint=wanted["endpoint"]
        )
    except Exception as error:
        raise failure(wanted, error) from None
    digest = found.etag or ""
    if found.commit_hash is None or found.size is None or len(digest) != 64:
        raise UserError(f"model_file: the hub gives no sha256 for {file}; is it a large file?")
    at = url(repo, file, found.commit_hash, endpoint)
    return Resolved(found.commit_hash, found.size, digest, at)
