"""One try with curl: from where a partial file ends, told on standard input.

Neither the token nor an address (redirects carry signatures) is ever an argument. curl gives an
Authorization header to no other host than the first (since 7.58).
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from llamarig.onhost.errors import Stop

# Below this a download stands still, in bytes a second: 16.8 GB would take half a year.
STALLED_RATE = 1024
PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.2
REFUSED, WRITE_FAILED, NO_RANGE = 22, 23, 33


@dataclass(frozen=True)
class Request:
    """url; token or None; path it goes on in; rate_limit in bytes a second or None; seconds
    below stalled_rate (bytes a second) until a try ends, and for a connection to be made."""

    url: str
    token: str | None
    path: str
    rate_limit: int | None = None
    stalled_rate: int = STALLED_RATE
    stall_seconds: int = 20
    connect_seconds: int = 20


@dataclass(frozen=True)
class Outcome:
    """code: curl's exit status; status: the last HTTP status, 0 if none came; headers: of that
    answer, names in lower case; said: curl's own line."""

    code: int
    status: int
    headers: dict[str, str]
    said: str


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _config(request: Request) -> str:
    secure = request.url.lower().startswith("https:")
    options = {
        "url": request.url,
        "output": request.path,
        "continue-at": "-",
        "dump-header": "-",
        "proto-redir": "=https" if secure else "=http,https",
        "max-redirs": "10",
        "connect-timeout": str(request.connect_seconds),
        "speed-limit": str(request.stalled_rate),
        "speed-time": str(request.stall_seconds),
        "user-agent": "llamarig",
    }
    if request.rate_limit:
        options["limit-rate"] = str(request.rate_limit)
    if request.token:
        options["header"] = f"Authorization: Bearer {request.token}"
    lines = [f"{name} = {_quoted(value)}" for name, value in options.items()]
    return "\n".join([*lines, "fail", "location", "globoff", "silent", "show-error"]) + "\n"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _last_answer(text: str) -> tuple[int, dict[str, str]]:
    """Status and headers of the last of several answers (redirects come before it)."""
    status = 0
    headers: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("HTTP/"):
            words = line.split()
            status, headers = int(words[1]) if words[1:2] and words[1].isdigit() else 0, {}
        elif ":" in line:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
    return status, headers


def run(request: Request, lock: int, watch: Callable[[], bool]) -> Outcome:
    """Append to the file until the server or the connection ends it.

    lock: a descriptor that curl holds as long as it writes, so that nobody else does if this
    process is killed. watch: called several times a second; False ends the try.

    Raises:
        Stop: there is no curl.
    """
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                ["curl", "--disable", "--config", "-"], stdin=subprocess.PIPE, stdout=answers,
                stderr=errors, pass_fds=(lock,), preexec_fn=_die_with_parent,
            )  # fmt: skip
        except FileNotFoundError:
            raise Stop("curl is missing on this host; install the package curl") from None
        try:
            assert child.stdin is not None
            # curl that ended before it read all says why by its exit status.
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(_config(request).encode())
                child.stdin.close()
            while True:
                try:
                    code = child.wait(POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    if not watch():
                        child.kill()
        finally:
            child.kill()
            child.wait()
        answers.seek(0)
        errors.seek(0)
        status, headers = _last_answer(answers.read().decode("latin-1"))
        lines = errors.read().decode(errors="replace").strip().splitlines()
    return Outcome(code, status, headers, lines[-1][:200] if lines else f"curl ended with {code}")
