"""The server that serves users, asked on its own host as one more client: at its own address, with
its key, and only while none of its slots is busy."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from llamarig.onhost import exchange, listening, slots, systemd
from llamarig.onhost.errors import Stop
from llamarig.onhost.exchange import Answer, Server
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED
from llamarig.onhost.slots import Slot

POLL_SECONDS = 0.5
LOOK_SECONDS = 30


@dataclass(frozen=True)
class Live:
    """server: at its own address, with its key."""

    server: Server

    @property
    def pid(self) -> int:
        return self.server.pid

    def slots(self) -> list[Slot]:
        """Its slots now.

        Raises:
            Stop: it does not tell; without that nobody knows whether users wait.
        """
        try:
            return slots.parse(self.server.get("/slots", LOOK_SECONDS))
        except (OSError, HTTPException, ValueError) as error:
            raise Stop(f"/slots of the live server: {exchange.said(error)}", UNDECIDED) from None

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
        """One answer, as a candidate is asked for it.

        Raises:
            Stop: the server ended, or gave no figures.
        """
        try:
            return self.server.chat(prompt, tokens, seed=seed, greedy=greedy)
        except exchange.FAULTS as error:
            said = exchange.said(error)
            raise Stop(f"the live server gave no answer: {said}", NOT_PASSED) from None


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
            raise Stop(f"{key_file}: {exchange.said(error)}", NOT_PASSED) from None
    pid = int(systemd.show(unit, "MainPID") or 0)
    return Live(Server(address, pid, request_timeout_s, key))
