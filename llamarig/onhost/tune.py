"""A tuning: the search for the draft depth that is fastest on this host.

The live server is stopped meanwhile: two models do not fit on one card, and it would disturb.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from llamarig.measure.grid import BASELINE, Grid
from llamarig.measure.search import Measure, Outcome, Search
from llamarig.measure.speedup import Sample
from llamarig.onhost import (
    beside,
    binary,
    context,
    measurements,
    proof,
    switch,
    systemd,
    tune_record,
)
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json
from llamarig.onhost.memory import look
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED, Rounds


def grid(config: dict[str, Any]) -> Grid:
    """The grid that the config describes; JSON knows no tuples."""
    told = config["grid"]
    return Grid(**{**told, "depths": tuple(told["depths"]), "p_mins": tuple(told["p_mins"])})


def asking(config: dict[str, Any], bench: Rounds, lost: dict[str, str]) -> Measure:
    """How the search measures a round. lost: gets the arms that failed, and why: a depth whose
    drafts don't fit on the card is no reason to try no other."""

    def measure(number: int, arms: Sequence[str], tokens: int) -> list[Sample]:
        bench.config = {**config, "tokens": tokens}
        taken = []
        for name in arms if number % 2 else reversed(arms):
            try:
                taken += bench.measure(number, [name]) if name not in lost else []
            except Stop as stop:
                if name == BASELINE or stop.code == UNDECIDED:
                    raise
                lost[name] = str(stop)
                print(f"{name} is left out: {stop}", flush=True)
        return [] if any(each.disturbed for each in taken) else proof.plain(taken)

    return measure


def search(config: dict[str, Any], bench: Rounds) -> dict[str, Any]:
    """The whole search, as a record."""
    lost: dict[str, str] = {}
    over = grid(config)
    bench.planned = sum(each.arms * each.rounds * over.prompts for each in over.steps())
    outcome: Outcome = Search(over, asking(config, bench, lost)).run()
    return {
        **tune_record.of(outcome, bench.samples, config["recipes"]),
        "budget_tokens": over.budget,
        "lost": lost,
        "load_seconds": bench.load_seconds,
    }


def main(path: str) -> int:
    """Search as the config says and write the record; 0 where it decided, also against MTP."""
    config = read_json(path)
    known = {
        "kind": "tune", "generation": config["generation"], "started": time.time(),
        "context": context.look(config), "memory_mib": {},
    }  # fmt: skip
    record: dict[str, Any] = {"verdict": "fail", "reason": "it was not finished", "best": None}
    with Rounds(config) as bench:
        try:
            known["version"] = binary.version(config["arms"][BASELINE], config["build_number"])
            beside.stop_check()
            systemd.stop(config["live_unit"])
            known["memory_mib"], problem = look(config["fit"], config["fit_environment"])
            if problem:
                raise Stop(problem, NOT_PASSED)
            record = search(config, bench)
        except Stop as stop:
            verdict = "undecided" if stop.code == UNDECIDED else "fail"
            record = {**record, "verdict": verdict, "reason": str(stop)}
            raise
        finally:
            record = {**record, **known, "residency": bench.residency, "finished": time.time()}
            write_json(config["record"], record)
            if bench.samples:
                measurements.append(config["measurements"], record)
    print(record["reason"], flush=True)
    if record["verdict"] == "undecided":
        raise Stop(record["reason"], UNDECIDED)
    return 0


def finish(path: str) -> int:
    """systemd's last words for this job, however it ended: serve what `current` names."""
    config = read_json(path)
    for name in config["arms"]:
        unit = f"llamarig-candidate-{name}.service"
        # Of some twenty at most one is there, and nobody should wait for the others.
        if os.path.exists(os.path.join(systemd.RUNTIME_UNITS, unit)):
            systemd.remove(unit)
    systemd.reload()
    return switch.finish(path)
