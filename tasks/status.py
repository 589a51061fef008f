"""What every host serves: `llamarig status`. Reads, never changes, takes no lock."""

from __future__ import annotations

import time

from pyinfra.context import host

from llamarig import report
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.generation import Generations
from llamarig.tasks.facts.live_server import LiveServer
from llamarig.tasks.step import refused, step


@step("Status")
def run() -> None:
    """Record the live unit, its generation and its proof for the table."""
    arrive()
    if refused(host.name):
        return
    known = host.get_fact(Generations)
    live = host.get_fact(LiveServer)
    serving = known.number(live.generation) if live.active == "active" else known.live
    report.record(host.name, service=live.active, since=live.since, restarts=live.restarts)
    if serving is None:
        return
    finished = float((serving.proof or {}).get("finished") or time.time())
    report.record(
        host.name,
        generation=serving.number,
        release=serving.manifest["release"],
        model=serving.manifest["model"],
        smoke=serving.proof,
        proof_age_seconds=round(time.time() - finished),
    )
