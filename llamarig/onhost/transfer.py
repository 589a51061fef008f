"""The bytes of a large file, however often the way to it breaks.

Every try goes on where the partial file ends, also in the next process, so that an interruption
costs what was in flight. Which bytes came is judged elsewhere.
"""

from __future__ import annotations

import email.utils
import os
import re
import shutil
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from llamarig.onhost import curl, digest
from llamarig.onhost.errors import Stop
from llamarig.onhost.hub_cache import remove, size_of

GIB = 2**30
# A try that brought less brought nothing: a line that drops after every byte would never end.
LEAST_BYTES = 64 * 1024
LONGEST_WAIT = 30.0
# What a server may make us wait, in seconds; the hub counts in windows of five minutes.
LONGEST_RETRY_AFTER = 120.0
PASSING = (408, 425, 429)
# curl's exit statuses that no waiting mends: protocol, URL, redirects without end, certificates.
HOPELESS = (1, 2, 3, 47, 60, 77)
FULL_BYTES = 2**20


@dataclass(frozen=True)
class Patience:
    """How often in a row a try may bring nothing, and the first wait in seconds, doubled to 30.
    With these a server may be away for four minutes."""

    tries: int = 12
    first_wait: float = 1.0


def retry_after(headers: dict[str, str], now: float) -> float:
    """Seconds that an answer asks us to wait, at most 120, 0 if it does not: Retry-After in
    seconds or as a date, or the hub's `ratelimit: "api";r=0;t=55`. now: epoch seconds."""
    text = headers.get("retry-after", "")
    seconds = 0.0
    if text.isdigit():
        seconds = float(text)
    elif text:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
        except (TypeError, ValueError):
            seconds = 0.0
    else:
        found = re.search(r"\br=0\b.*\bt=(\d+)", headers.get("ratelimit", ""))
        seconds = float(found[1]) if found else 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


class Transfer:
    """One file of `size` bytes on its way into request.path.

    refused(status, headers): the line for an HTTP status that waiting does not mend.
    """

    def __init__(
        self,
        request: curl.Request,
        size: int,
        refused: Callable[[int, dict[str, str]], Stop],
        patience: Patience | None = None,
    ) -> None:
        self._request, self._size, self._refused = request, size, refused
        self._patience = patience or Patience()
        self._server = urllib.parse.urlsplit(request.url).hostname
        self._said = 0.0
        self._started_over = False

    def run(self, lock: int) -> None:
        """Return when all bytes are there. lock: as in `curl.run`.

        Raises:
            Stop: refused, disk full, or no byte came for too long; what came is kept.
        """
        path, idle = self._request.path, 0
        while (before := size_of(path)) != self._size:
            if before > self._size:
                self._start_over(f"{path} holds more bytes than the file has")
                continue
            outcome = curl.run(self._request, lock, self._watch)
            have = size_of(path)
            if have == self._size:
                break
            reason = self._judge(outcome, have)
            if outcome.code == curl.NO_RANGE:
                self._start_over(f"{self._server} does not send parts of a file")
                continue
            idle = 0 if have - before >= LEAST_BYTES else idle + 1
            if idle >= self._patience.tries:
                raise Stop(
                    f"{reason}; {idle} tries in a row brought nothing, run the same command "
                    f"again; {self._kept(have)}"
                )
            self._wait(idle, reason, outcome, have)
        digest.progress(self._size, self._size)

    def _watch(self) -> bool:
        have = size_of(self._request.path)
        if time.monotonic() - self._said >= digest.PROGRESS_SECONDS:
            self._said = time.monotonic()
            digest.progress(min(have, self._size), self._size)
        return have <= self._size

    def _kept(self, have: int) -> str:
        return f"{have / GIB:.2f} of {self._size / GIB:.2f} GiB are kept"

    def _wait(self, idle: int, reason: str, outcome: curl.Outcome, have: int) -> None:
        seconds = min(LONGEST_WAIT, self._patience.first_wait * 2**idle)
        seconds = max(seconds, retry_after(outcome.headers, time.time()))
        print(f"{reason}; {self._kept(have)}, going on in {seconds:.0f} s", flush=True)
        time.sleep(seconds)

    def _start_over(self, why: str) -> None:
        if self._started_over:
            raise Stop(f"{why}, and that again; run the same command when the server is well")
        self._started_over = True
        print(f"{why}: starting over", flush=True)
        remove(self._request.path)

    def _judge(self, outcome: curl.Outcome, have: int) -> str:
        """Why a try ended, if another may do better."""
        if outcome.code == curl.REFUSED:
            if outcome.status < 500 and outcome.status not in PASSING:
                raise self._refused(outcome.status, outcome.headers)
            return f"{self._server} answers {outcome.status}"
        if outcome.code == curl.WRITE_FAILED:
            raise self._unwritten(outcome, have)
        if outcome.code in HOPELESS:
            raise Stop(f"{self._server}: {outcome.said}")
        if outcome.code == 0:
            return f"{self._server} sent too little"
        return f"{self._server}: {outcome.said}"

    def _unwritten(self, outcome: curl.Outcome, have: int) -> Stop:
        folder = os.path.dirname(self._request.path)
        if shutil.disk_usage(folder).free >= FULL_BYTES:
            return Stop(f"hf_home: {self._request.path} can't be written: {outcome.said}")
        return Stop(
            f"hf_home: the disk of {folder} is full; free {(self._size - have) / GIB:.2f} GiB, "
            f"run the same command again; {self._kept(have)}"
        )
