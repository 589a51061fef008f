"""What the hub offers: a repository's models, and what one of them is.

Paths, lines on a terminal and downloads are made of a hub's answers, and an http endpoint's may
come from anybody on the way: nothing is taken that does not look like a hub's own.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from llamarig import values
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.onhost import hub_client
from llamarig.onhost.hub_cache import COMMIT, SHA256
from llamarig.onhost.transfer import PASSING

T = TypeVar("T")
# Without a byte, and for all of an answer.
SECONDS, LIMIT = 15.0, 30.0
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


def _wanted(repo: str, file: str, revision: str | None, endpoint: str | None) -> dict[str, Any]:
    """What is asked for, as the lines of a refusal name it."""
    where = (endpoint or hub_client.HUB).rstrip("/")
    return {"repo": repo, "file": file, "revision": revision or "main", "endpoint": where}


def odd(wanted: dict[str, Any], what: str) -> UserError:
    """The line for an answer that no hub gives; what: what is missing in it."""
    return UserError(plain(f"hf_endpoint: {wanted['endpoint']} answers no {what}; is it a hub?"))


def _missing(wanted: dict[str, Any]) -> str:
    return f"file {wanted['file']}" if wanted["file"] else "listing of a repository"


def failure(wanted: dict[str, Any], error: Exception) -> UserError | Unreachable:
    """The hub client's exception as one line, the same that a host's download says."""
    response = getattr(error, "response", None)
    if response is not None:
        return refused(wanted, response)
    if isinstance(error, (ValueError, LookupError, TypeError, AttributeError, RecursionError)):
        return odd(wanted, _missing(wanted))  # the client stumbled over what it was sent
    line = hub_client.explain(wanted, error)
    kind = Unreachable if isinstance(line, hub_client.Unreachable) else UserError
    return kind(plain(str(line)))


def refused(wanted: dict[str, Any], reply: Any) -> UserError | Unreachable:
    """An HTTP status other than success as one line, without the address, which may be signed."""
    status, where = int(reply.status_code), wanted["endpoint"]
    if status < 400:
        return odd(wanted, _missing(wanted))
    if status >= 500 or status in PASSING:
        return Unreachable(plain(f"{where} answers {status}; run the same command again"))
    headers = {name.lower(): reply.headers[name] for name in reply.headers}
    line = str(hub_client.refusal(wanted, status, headers))
    if not wanted["file"] and line.startswith("model_file:"):  # no file was asked for
        repo, message = wanted["repo"], headers.get("x-error-message", "")[:150]
        said = f" ({message})" if message else ""
        line = f"model_repo: {where} answers {status} for {repo}{said}; see {where}/{repo}"
    return UserError(plain(line))


def late(wanted: dict[str, Any], limit: float) -> Unreachable:
    """The line for an answer that was not whole after `limit` seconds."""
    line = f"{wanted['endpoint']} took more than {limit:g} s to answer; run the same command again"
    return Unreachable(plain(line))


def within(wanted: dict[str, Any], limit: float, work: Callable[[float], T]) -> T:
    """What work returns in `limit` seconds; it gets the monotonic time at which they are over.

    In a thread of its own, since no timeout of the client's ends an answer whose head comes a byte
    at a time; one that is late is left behind.

    Raises:
        Unreachable: late; else what work raises.
    """
    done = Future[T]()
    until = time.monotonic() + limit

    def run() -> None:
        try:
            done.set_result(work(until))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return done.result(timeout=limit)
    except TimeoutError:
        raise late(wanted, limit) from None


def chunks(reply: Any, until: float) -> Iterator[bytes]:
    """A body as it was sent: unpacked, a few bytes could be as many as they like.

    Raises:
        TimeoutError: it goes on at `until`, monotonic seconds.
    """
    for chunk in reply.iter_raw():
        if time.monotonic() > until:
            raise TimeoutError
        yield chunk


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
    wanted = _wanted(repo, "", revision, endpoint)
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
    _quiet()
    return hub_client.url(_wanted(repo, file, revision, endpoint), revision)


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
    wanted = _wanted(repo, file, revision, endpoint)
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
    _quiet()
    from huggingface_hub import get_hf_file_metadata

    address = hub_client.url(wanted, wanted["revision"])
    try:
        return get_hf_file_metadata(
            address, token=token or False, timeout=SECONDS, endpoint=wanted["endpoint"]
        )
    except Exception as error:
        raise failure(wanted, error) from None
