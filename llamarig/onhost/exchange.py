"""One question to a llama-server and its answer's figures, as every measurement asks it."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from llamarig.onhost import listening, load

# A list of slots, or an answer of 2,048 tokens: neither comes near.
MOST_BYTES = 2**22
# What an exchange raises when the server ended, or answered with something else.
FAULTS = (OSError, HTTPException, ValueError, KeyError, TypeError, IndexError)


@dataclass(frozen=True)
class Answer:
    """One answer's figures, the server's own timings; foreign: share of the processors that others
    used; pressure: share of the time in which something waited for one. digest: of its text, 16
    hexadecimal digits."""

    tps: float
    predicted_n: int
    draft_n: int
    draft_n_accepted: int
    prompt_n: int
    prompt_tps: float
    foreign: float
    pressure: float | None
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Server:
    """address: bind, port and scheme; pid: its process; key: its API key, empty for none."""

    address: dict[str, Any]
    pid: int
    request_timeout_s: float
    key: str = ""

    def get(self, path: str, seconds: float) -> Any:
        """The JSON at a path. Raises FAULTS."""
        return self._ask(path, None, seconds)

    def chat(self, prompt: str, tokens: int, *, seed: int, greedy: bool) -> Answer:
        """One answer to one prompt, with the recipe's own sampling, or greedy. Raises FAULTS."""
        body = {
            "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens,
            "seed": seed, "cache_prompt": False, "stream": False,
            "chat_template_kwargs": {"enable_thinking": False},
            **({"temperature": 0.0} if greedy else {}),
        }  # fmt: skip
        before = load.now(self.pid)
        found = self._ask("/v1/chat/completions", body, self.request_timeout_s)
        after = load.now(self.pid)
        timings: dict[str, Any] = found["timings"]
        return Answer(
            tps=float(timings["predicted_per_second"]),
            predicted_n=int(timings["predicted_n"]),
            draft_n=int(timings.get("draft_n", 0)),
            draft_n_accepted=int(timings.get("draft_n_accepted", 0)),
            prompt_n=int(timings.get("prompt_n", 0)),
            prompt_tps=float(timings.get("prompt_per_second", 0.0)),
            foreign=load.foreign_share(before, after, os.cpu_count() or 1),
            pressure=load.pressure(before, after),
            text=_text(found["choices"][0]["message"]),
        )

    def _ask(self, path: str, body: dict[str, Any] | None, seconds: float) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(listening.url(self.address, path), data, headers)
        with listening.opener().open(request, timeout=seconds) as reply:
            return json.loads(reply.read(MOST_BYTES))


def _text(message: dict[str, Any]) -> str:
    """All that was said; a model that thinks says part of it elsewhere."""
    return str(message.get("reasoning_content") or "") + str(message["content"] or "")


def said(error: Exception) -> str:
    """A fault in a line."""
    return f"{type(error).__name__}: {error}"[:200]
