"""A tuning: the search for the draft depth that is fastest on this host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llamarig.measure.grid import BASELINE, Grid
from llamarig.measure.search import Measure, Outcome, Search
from llamarig.measure.speedup import Sample
from llamarig.onhost import apart, proof, tune_record
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json
from llamarig.onhost.rounds import UNDECIDED, Rounds


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
    record = apart.record(read_json(path), "tune", search, best=None)
    if record["verdict"] == "undecided":
        raise Stop(record["reason"], UNDECIDED)
    return 0
