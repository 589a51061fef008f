"""How the hub is asked, and one line for whatever it answers instead of an answer.

Bounded in time and bytes: an http endpoint's answer may come from anybody on the way.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.onhost import hub_client
from llamarig.onhost.transfer import PASSING

T = TypeVar("T")
# Without a byte, and for all of an answer.
SECONDS, LIMIT = 15.0, 30.0


class Unreachable(Exception):  # noqa: N818 - it says nothing against what was asked for
    """The hub does not answer, or only that it can't now. One line."""


def wanted_of(repo: str, file: str, revision: str | None, endpoint: str | None) -> dict[str, Any]:
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
    quiet()
    from huggingface_hub import get_session

    secret = {"Authorization": f"Bearer {token}"} if token else {}
    with get_session().stream(
        "GET", address, headers={**headers, **secret}, timeout=timeout
    ) as reply:
        yield reply


def quiet() -> None:
    """Must happen before huggingface_hub is imported: it reads these once."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
