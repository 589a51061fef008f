"""A model's header, read from the hub by HTTP range: some MB of many GB."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.hub.asking import Unreachable, chunks, failure, odd, refused, stream, within
from llamarig.onhost import gguf_header
from llamarig.onhost.gguf_header import Header, Incomplete

FIRST = 256 * 2**10
# No real header has more; what goes on is no header.
MOST = 64 * 2**20
# Without a byte, and for all of a header.
SECONDS, LIMIT = 15.0, 60.0
RANGE = re.compile(r"bytes ([0-9]{1,16})-([0-9]{1,16})/([0-9]{1,16}|\*)")
ADDRESS = re.compile(
    r"(?P<endpoint>.+?)/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)"
)


class Read(NamedTuple):
    """A header; how many requests it took, redirects included, and how many bytes of the file."""

    header: Header
    requests: int
    bytes: int


def read(
    url: str, token: str | None, timeout: float = SECONDS, *, size: int | None = None,
    limit: float = LIMIT,
) -> Read:  # fmt: skip
    """The header of the model at the hub's address. timeout: seconds without a byte; limit: for
    all of it; size: the file's bytes, where they are known.

    The token goes to the address's own host alone. A server that ignores ranges sends from the
    file's beginning; then we hang up when we have what was asked for.

    Raises:
        UserError: refused, or not a model's header.
        asking.Unreachable: no answer.
    """
    return within(
        _place(url), limit, lambda until: _read(_Source(url, token, timeout, size, until))
    )


class _Source(NamedTuple):
    """Where a header is read from; until: monotonic seconds at which it must be there."""

    url: str
    token: str | None
    timeout: float
    size: int | None
    until: float


def _read(source: _Source) -> Read:
    content, requests, wanted = b"", 0, FIRST
    while True:
        before = len(content)
        content, asked = _more(source, content, wanted)
        requests += asked
        try:
            return Read(gguf_header.parse(content), requests, len(content))
        except Incomplete as error:
            if len(content) < wanted or len(content) == before:
                raise _damaged(source.url, error) from None
            # Never more than double: what a header says of itself is not to be believed.
            wanted = min(2 * wanted, MOST)
            if error.needs > MOST or len(content) >= MOST:
                words = f"its header is said to have more than {MOST // 2**20} MiB"
                raise _damaged(source.url, words) from None
        except ValueError as error:
            raise _damaged(source.url, error) from None


def _damaged(url: str, why: object) -> UserError:
    return UserError(plain(f"model_file: {_place(url)['file']}: {why}"))


def _place(url: str) -> dict[str, Any]:
    """What an address of the hub names, as the lines of a refusal say it."""
    found = ADDRESS.fullmatch(url)
    parts = found.groupdict() if found else {"endpoint": url, "repo": "", "file": url}
    return {"revision": None} | {name: unquote(text) for name, text in parts.items()}


def _more(source: _Source, content: bytes, wanted: int) -> tuple[bytes, int]:
    """The file's first `wanted` bytes, of which `content` is there; and the requests it took."""
    span = {"Range": f"bytes={len(content)}-{wanted - 1}", "Accept-Encoding": "identity"}
    try:
        with stream(source.url, source.token, span, source.timeout) as reply:
            requests = len(reply.history) + 1
            if reply.status_code == 416:
                return content, requests
            if reply.status_code not in (200, 206):
                raise refused(_place(source.url), reply)
            if reply.status_code == 206:
                _check_range(source, reply, len(content), wanted)
            kept = bytearray(content if reply.status_code == 206 else b"")
            for chunk in chunks(reply, source.until):
                kept += chunk
                if len(kept) >= wanted:
                    break
            return bytes(kept[:wanted]), requests
    except (UserError, Unreachable):
        raise
    except Exception as error:
        raise failure(_place(source.url), error) from None


def _check_range(source: _Source, reply: Any, first: int, wanted: int) -> None:
    """Refuse bytes from elsewhere in the file, or of another file."""
    found = RANGE.fullmatch(reply.headers.get("Content-Range", ""))
    sizes = {each.headers.get("X-Linked-Size") for each in (*reply.history, reply)} - {None}
    if source.size is not None:
        sizes.add(str(source.size))
    if (
        not found
        or int(found[1]) != first
        or not first <= int(found[2]) < wanted
        or (found[3] != "*" and sizes - {found[3]})
    ):
        place = _place(source.url)
        raise odd(place, f"bytes {first} to {wanted - 1} of {place['file']} but others")
