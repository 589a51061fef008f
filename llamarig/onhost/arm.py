"""One arm of the comparison: a candidate unit that is started, asked and stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from llamarig.onhost import listening, load, systemd
from llamarig.onhost.errors import Stop

HOST = "127.0.0.1"


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


@dataclass
class Arm:
    """A running candidate."""

    name: str
    unit: str
    port: int
    pid: int
    request_timeout_s: float

    def ask(self, prompt: str, tokens: int, *, seed: int = 1, greedy: bool = False) -> Answer:
        """One answer to one prompt, with the recipe's own sampling, or greedy.

        Raises:
            Stop: the server ended, or gave no figures.
        """
        body = {
            "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens,
            "seed": seed, "cache_prompt": False, "stream": False,
            "chat_template_kwargs": {"enable_thinking": False},
            **({"temperature": 0.0} if greedy else {}),
        }  # fmt: skip
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}/v1/chat/completions", json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        try:
            before = load.now(self.pid)
            with urllib.request.urlopen(request, timeout=self.request_timeout_s) as reply:
                answer = json.load(reply)
            timings: dict[str, Any] = answer["timings"]
            after = load.now(self.pid)
            return Answer(
                tps=float(timings["predicted_per_second"]),
                predicted_n=int(timings["predicted_n"]),
                draft_n=int(timings.get("draft_n", 0)),
                draft_n_accepted=int(timings.get("draft_n_accepted", 0)),
                prompt_n=int(timings.get("prompt_n", 0)),
                prompt_tps=float(timings.get("prompt_per_second", 0.0)),
                foreign=load.foreign_share(before, after, os.cpu_count() or 1),
                pressure=load.pressure(before, after),
                text=_text(answer["choices"][0]["message"]),
            )
        except (OSError, HTTPException, ValueError, KeyError, TypeError, IndexError) as error:
            said = f"{type(error).__name__}: {error}"[:200]
            raise Stop(f"{self.name}: the server gave no answer: {said}", 4) from None


def _text(message: dict[str, Any]) -> str:
    """All that was said; a model that thinks says part of it elsewhere."""
    return str(message.get("reasoning_content") or "") + str(message.get("content") or "")


@contextlib.contextmanager
def running(name: str, unit_file: str, config: dict[str, Any]) -> Iterator[Arm]:
    """Start an arm's unit and wait until it has loaded; stop it afterwards.

    Raises:
        Stop: it did not load; the line is llama-server's own where it is a known one.
    """
    unit = f"llamarig-candidate-{name}.service"
    address = {"bind": HOST, "port": config["port"], "scheme": "http"}
    systemd.install(unit, unit_file)
    try:
        pid = listening.start(
            f"the {name} server", unit, address, config["load_timeout_s"], "proof_port"
        )
        yield Arm(name, unit, config["port"], pid, config["request_timeout_s"])
    finally:
        systemd.remove(unit)
