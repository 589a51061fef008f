"""One arm of the comparison: a candidate unit that is started, asked and stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llamarig.onhost import exchange, listening, systemd
from llamarig.onhost.errors import Stop
from llamarig.onhost.exchange import Answer, Server

HOST = "127.0.0.1"


@dataclass
class Arm:
    """A running candidate."""

    name: str
    unit: str
    server: Server

    @property
    def pid(self) -> int:
        return self.server.pid

    def ask(self, prompt: str, tokens: int, *, seed: int = 1, greedy: bool = False) -> Answer:
        """One answer to one prompt, with the recipe's own sampling, or greedy.

        Raises:
            Stop: the server ended, or gave no figures.
        """
        try:
            return self.server.chat(prompt, tokens, seed=seed, greedy=greedy)
        except exchange.FAULTS as error:
            said = exchange.said(error)
            raise Stop(f"{self.name}: the server gave no answer: {said}", 4) from None


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
        yield Arm(name, unit, Server(address, pid, config["request_timeout_s"]))
    finally:
        systemd.remove(unit)
