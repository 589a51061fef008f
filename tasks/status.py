"""What every host serves: `llamarig status`, and what it was before: `llamarig history`. Both
read, never change, take no lock."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from pyinfra.context import host

from llamarig import report
from llamarig.settings import Settings
from llamarig.tasks import check, check_news, doctor, drift, model_choice, site
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.api_key import ApiKey, RunningKey
from llamarig.tasks.facts.generation import Generation, Generations
from llamarig.tasks.facts.history import History
from llamarig.tasks.facts.live_server import LiveServer
from llamarig.tasks.facts.release import Release
from llamarig.tasks.facts.workstation import read
from llamarig.tasks.step import step

# Enough to tell two keys apart, and of no use to anybody who has none.
KEY_DIGITS = 12


def run() -> None:
    """Arrive, then look: a step's facts are asked as root only if sudo was arranged before it."""
    begin()
    look()


def history() -> None:
    """Arrive, then read the history."""
    begin()
    look_back()


@step("Arrival")
def begin() -> None:
    """The settings, the connection, root."""
    arrive()


@step("History")
def look_back() -> None:
    """Record the host's own history for the table."""
    found = host.get_fact(History)
    report.record(
        host.name, history=[asdict(each) for each in found.entries], history_broken=found.broken
    )


@step("Status")
def look() -> None:
    """Record the live unit, its generation, its proof and its drift for the table."""
    settings = _settings()
    known, live = host.get_fact(Generations), host.get_fact(LiveServer)
    serving = known.number(live.generation) if live.active == "active" else known.live
    report.record(
        host.name,
        service=live.active,
        since=live.since,
        seconds=live.seconds,
        result=live.result,
        restarts=live.restarts,
        current=known.current,
        drift=drift.read(settings, known, live) + (check.drift(settings) if known.live else []),
    )
    if serving is None:
        return
    finished = float((serving.proof or {}).get("finished") or time.time())
    release = host.get_fact(Release, build_id=serving.manifest["release"])
    report.record(
        host.name,
        generation=serving.number,
        release=serving.manifest["release"],
        version=release and {key: release.document.get(key) for key in ("build_number", "source")},
        model=serving.manifest["model"],
        smoke=serving.proof,
        proof_age_seconds=round(time.time() - finished),
        **check_news.newest(settings, serving, time.time()),
        **_reach(serving, settings),
    )


def _settings() -> Settings:
    """The host's settings; where model_quant leaves the file open, with what it came to, so far
    as that can be told."""
    settings = site.settings()
    if settings.model_quant is not None:
        model_choice.choose(read(doctor.examine(settings)), settings)
    return site.settings()


def _reach(serving: Generation, settings: Settings) -> dict[str, Any]:
    """Where it listens, whether it wants a key, and which: a few digits of the key's digest."""
    manifest = serving.manifest
    keyed = bool(manifest.get("keyed", settings.keyed))
    # This step's own privileges were fixed before sudo was arranged.
    as_root = bool(host.data.get("_sudo"))
    key = host.get_fact(ApiKey, _sudo=as_root) if keyed else None
    running = host.get_fact(RunningKey, _sudo=as_root) if keyed else None
    return {
        "address": manifest["address"],
        "keyed": keyed,
        "api_key": key and key.digest and key.digest[:KEY_DIGITS],
        "key_stale": bool(key and key.digest and running and key.digest != running),
        "key_open": bool(key and key.digest and not key.private),
    }
