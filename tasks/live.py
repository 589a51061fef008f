"""The live server: started from what `current` names, and waited for until it answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Generator
from typing import Any

import gevent
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, display, report
from llamarig.onhost import listening
from llamarig.paths import LIVE_UNIT
from llamarig.settings import Settings
from llamarig.tasks import model_source, part, plan_diff
from llamarig.tasks.facts.check import UNIT as CHECK_UNIT
from llamarig.tasks.facts.generation import Generations, GenerationState
from llamarig.tasks.facts.live_server import LiveServer
from llamarig.tasks.operations.outcome import failure

# Of a server that runs; one that is still loading is waited for in its host's wave.
LOOK_SECONDS = 2

# Whoever has it restart goes before a check by the timer, which would take that for a failure.
STOP_CHECK = f"systemctl stop {CHECK_UNIT} 2>/dev/null"

# A server that is bound to one of these listens at all addresses of its host.
EVERYWHERE = ("0.0.0.0", "::")


@operation()
def serve(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Start the unit of `current` and wait until it answers. Restarts nothing that already
    runs from `current`, unless its model's file was replaced under it."""
    known: GenerationState = host.get_fact(Generations)
    live = host.get_fact(LiveServer)
    if live.measuring and live.active != "active" and state.is_executing:
        if problem := _await_end(live.measuring, settings.proof_timeout_minutes * 60):
            yield failure(problem)
            return
        live = host.get_fact(LiveServer)
    if known.current and not state.is_executing and model_source.record(settings) is None:
        plan_diff.later("Serve the proven generation", "the model is there")
    if known.current is None:
        if state.is_executing:
            yield failure("nothing is proven on this host, so nothing goes live")
        else:
            yield StringCommand("true  # known once a generation is proven")
        return
    if live.active == "active" and live.generation == known.current and not live.replaced:
        host.noop(f"generation {known.current} is live")
    else:
        # After five starts that came to nothing systemd refuses the sixth, unless it is told.
        yield StringCommand(
            f"{STOP_CHECK}; "
            f"systemctl daemon-reload; systemctl reset-failed {LIVE_UNIT} 2>/dev/null; true"
        )
        same = live.generation in (known.current, None) and not live.replaced
        verb = "start" if same else "restart"
        yield StringCommand(f"systemctl {verb} {LIVE_UNIT}")
    address = known.live.manifest["address"] if known.live else {}
    if state.is_executing:
        report.record(host.name, url=url(address))
        if silent := unanswered(address, settings.load_timeout_seconds):
            yield failure(silent)
    elif part.looks() and known.live:
        # A rollout does no more to a host where nothing is to be done.
        report.record(host.name, url=url(address))
        if unanswered(address, LOOK_SECONDS):
            yield StringCommand("true  # waits until it answers")


def _await_end(unit: str, seconds: int) -> str | None:
    """Wait for a measurement that somebody left on the host: it has stopped the server, and starts
    it again when it is over. The line that says why that can't be waited for."""
    display.say(host.name, f"{unit} measures on the host; waiting until it is over")
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            _, lines = connection.run(host, f"systemctl is-active {unit}")
            if lines[:1] not in (["active"], ["activating"], ["deactivating"]):
                return None
            gevent.sleep(1.0)
    except ConnectionError as error:
        return f"the connection was lost while {unit} measured ({error})"
    return f"{unit} still measures after {seconds / 60:.0f} minutes; run it again when it is over"


def url(address: dict[str, Any]) -> str:
    """Where others reach the server, or the host itself where only that may; address: a manifest's
    bind, port and scheme."""
    name = address["bind"]
    if name in EVERYWHERE:
        name = str(host.data.get("ssh_hostname") or host.name)
    if name == "@local":
        name = socket.gethostname()
    return listening.url({**address, "bind": name}, "")


def unanswered(address: dict[str, Any], seconds: int) -> str | None:
    """None once /health of our own unit says ok, else why it does not within `seconds`.

    address: bind, port and scheme of a generation's manifest.
    """
    # Its certificate names the host as others know it, not as it reaches itself.
    health = listening.url(address, "/health")
    check = (
        f"systemctl is-active {LIVE_UNIT}; "
        f"curl -sk --noproxy '*' -m 5 -o /dev/null -w '%{{http_code}}' {health}"
    )
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            _, lines = connection.run(host, check)
        except ConnectionError as error:
            return f"the connection was lost while the server loaded ({error})"
        if lines[-1:] == ["200"] and lines[0] == "active":
            return None
        if lines and lines[0] in ("failed", "inactive"):
            return f"{LIVE_UNIT} does not run; journalctl -u {LIVE_UNIT} says why"
        gevent.sleep(0.5)
    return f"{LIVE_UNIT} did not answer within {seconds} s"
