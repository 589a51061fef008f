"""The server that serves users, asked on its own host as one more client: at its own address, with
its key, and only while none of its slots is busy."""

from __future__ import annotations

import json
import os
import ssl
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from llamarig.onhost import listening, load, slots, systemd
from llamarig.onhost.arm import Answer
from llamarig.onhost.errors import Stop
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED
from llamarig.onhost.slots import Slot

POLL_SECONDS = 0.5
# A list of slots, or an answer of 2,048 tokens: neither comes near.
MOST_BYTES = 2**22
LOOK_SECONDS = 30


@dataclass(frozen=True)
class Live:
    """address: bind, port and scheme of its manifest; key: its API key, empty for none."""

    address: dict[str, Any]
    key: str
    pid: int
    request_timeout_s: float

    def slots(self) -> list[Slot]:
        """Its slots now.

        Raises:
            Stop: it does not tell; without that nobody knows whether users wait.
        """
        try:
            return slots.parse(self._ask("/slots", None, LOOK_SECONDS))
        except (OSError, HTTPException, ValueError) as error:
            raise Stop(f"/slots of the live server: {_said(error)}", UNDECIDED) from None

    def idle(self, patience_s: float) -> list[Slot] | None:
        """Its slots, once none of them is busy; None where that took longer than `patience_s`.

        A free slot is not enough: beside another answer ours would slow that one down, and be
        thrown away.
        """
        deadline = time.monotonic() + patience_s
        while True:
            found = self.slots()
            if not slots.busy(found):
                return found
            if time.monotonic() > deadline:
                return None
            time.sleep(POLL_SECONDS)

    def ask(self, prompt: str, tokens: int, *, seed: int = 1, greedy: bool = False) -> Answer:
        """One answer, as onhost/arm.py asks for it.

        Raises:
            Stop: the server ended, or gave no figures.
        """
        body = {
            "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens,
            "seed": seed, "cache_prompt": False, "stream": False,
            "chat_template_kwargs": {"enable_thinking": False},
            **({"temperature": 0.0} if greedy else {}),
        }  # fmt: skip
        try:
            before = load.now(self.pid)
            found = self._ask("/v1/chat/completions", body, self.request_timeout_s)
            after = load.now(self.pid)
            timings, message = found["timings"], found["choices"][0]["message"]
            return Answer(
                tps=float(timings["predicted_per_second"]),
                predicted_n=int(timings["predicted_n"]),
                draft_n=int(timings.get("draft_n", 0)),
                draft_n_accepted=int(timings.get("draft_n_accepted", 0)),
                prompt_n=int(timings.get("prompt_n", 0)),
                prompt_tps=float(timings.get("prompt_per_second", 0.0)),
                foreign=load.foreign_share(before, after, os.cpu_count() or 1),
                pressure=load.pressure(before, after),
                text=str(message.get("reasoning_content") or "") + str(message["content"] or ""),
            )
        except (OSError, HTTPException, ValueError, KeyError, TypeError, IndexError) as error:
            raise Stop(f"the live server gave no answer: {_said(error)}", NOT_PASSED) from None

    def _ask(self, path: str, body: dict[str, Any] | None, seconds: float) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(listening.url(self.address, path), data, headers)
        # As in listening.py: its certificate names the host as others know it, and no proxy of the
        # machine's comes between.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
        )
        with opener.open(request, timeout=seconds) as reply:
            return json.loads(reply.read(MOST_BYTES))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def reach(unit: str, manifest: dict[str, Any], key_file: str, request_timeout_s: float) -> Live:
    """The live server of a generation's manifest.

    Raises:
        Stop: it does not answer; its key can't be read.
    """
    address = manifest["address"]
    if not listening.healthy(unit, address):
        raise Stop(f"{unit} does not answer at port {address['port']}", NOT_PASSED)
    key = ""
    if manifest.get("keyed"):
        try:
            with open(key_file, encoding="ascii") as file:
                key = next((line.strip() for line in file if line.strip()), "")
        except (OSError, ValueError) as error:
            raise Stop(f"{key_file}: {_said(error)}", NOT_PASSED) from None
    pid = int(systemd.show(unit, "MainPID") or 0)
    return Live(address, key, pid, request_timeout_s)
