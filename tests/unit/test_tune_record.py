"""What a host makes of its own rounds: the search fed with them, and the record of it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from llamarig import tune, tuned
from llamarig.cli import tune_table
from llamarig.measure.grid import BASELINE, Grid
from llamarig.measure.search import Search
from llamarig.onhost import tune as onhost
from llamarig.onhost import tune_record
from llamarig.onhost.errors import Stop
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED
from llamarig.onhost.sample import Taken
from llamarig.settings import Settings
from llamarig.tasks import tune_job
from llamarig.tuned_forms import faults

GRID = Grid((1, 2, 3, 4, 5, 6), (0.0, 0.5, 0.75), 2, 128, 48, 8816)
SPEEDS = {0: 44.2, 1: 60.0, 2: 82.1, 3: 87.4, 4: 84.0, 5: 78.0, 6: 70.0}
PROMPTS = [{"id": "code", "class": "code"}, {"id": "math", "class": "math"}]


class Served:
    """Stands in for onhost.rounds.Rounds: what it is asked, it answers at set speeds."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.samples: list[Taken] = []
        self.residency: dict[str, Any] = {}
        self.load_seconds: dict[str, list[float]] = {}
        self.planned = 0
        self.order: list[str] = []
        self.tokens: list[int] = []
        self.stops: dict[str, Stop] = {}
        self.busy: set[int] = set()

    def measure(self, number: int, arms: list[str]) -> list[Taken]:
        (name,) = arms
        self.order.append(name)
        self.tokens.append(self.config["tokens"])
        if name in self.stops:
            raise self.stops[name]
        depth = int(name[1])
        slower = 0.9 if "-p" in name else 1.0
        taken = [
            Taken(
                name, number, each["id"], each["class"], SPEEDS[depth] * slower + 0.1 * number,
                predicted_n=100, draft_n=depth * 30, draft_n_accepted=60 if depth else 0,
                prompt_tps=900.0, foreign=0.5 if number in self.busy else 0.0,
            )
            for each in PROMPTS
        ]  # fmt: skip
        self.samples += taken
        return taken


def config(over: Grid = GRID) -> dict[str, Any]:
    """As the host reads it: JSON knows no tuples."""
    told = {"grid": asdict(over), "recipes": tune_job.recipes(over), "tokens": 999}
    found: dict[str, Any] = json.loads(json.dumps(told))
    return found


def searched(served: Served, over: Grid = GRID) -> dict[str, Any]:
    found: dict[str, Any] = onhost.search(config(over), served)  # type: ignore[arg-type]
    return found


def test_the_record_has_every_arm_and_the_winner() -> None:
    served = Served()
    record = searched(served)
    assert (record["verdict"], record["best"], record["rounds"]) == ("pass", "n3", 6)
    assert set(record["arms"]) == {"n0", "n1", "n3", "n5", "n2", "n4", "n3-p0.5", "n3-p0.75"}
    best = record["arms"]["n3"]
    assert (best["draft_n_max"], best["draft_p_min"], best["rounds"]) == (3, 0.0, 6)
    assert best["acceptance_length"] == 2.5
    assert record["speedup"] == best["speedup"] == pytest.approx(87.4 / 44.2, rel=0.02)
    assert record["interval"][0] <= record["speedup"] <= record["interval"][1]
    assert record["tps"] / record["baseline_tps"] == pytest.approx(record["speedup"])
    # One round has a speedup, though the baseline was not asked in it, and no interval.
    pruned = record["arms"]["n3-p0.5"]
    assert (pruned["interval"], pruned["rounds"]) == (None, 1)
    assert pruned["speedup"] == pytest.approx(0.9 * 87.4 / 44.2, rel=0.02)
    assert record["tokens"] <= record["budget_tokens"] == 8816
    json.dumps(record)


def test_rounds_go_there_and_back_and_only_the_final_is_long() -> None:
    served = Served()
    searched(served)
    assert served.order[:7] == ["n0", "n1", "n3", "n5", "n4", "n2", "n3"]
    assert served.tokens[:7] == [64] * 7
    assert set(served.tokens[10:]) == {128}
    assert served.planned == len(served.samples)


def test_a_depth_that_does_not_fit_is_left_out_and_said() -> None:
    served = Served()
    served.stops["n5"] = Stop("gpu_layers: weights spill into host memory", NOT_PASSED)
    record = searched(served)
    assert record["best"] == "n3"
    assert record["lost"] == {"n5": "gpu_layers: weights spill into host memory"}
    assert served.order.count("n5") == 1


@pytest.mark.parametrize(
    ("arm", "code"), [(BASELINE, NOT_PASSED), ("n3", UNDECIDED), (BASELINE, UNDECIDED)]
)
def test_what_concerns_all_arms_ends_it(arm: str, code: int) -> None:
    served = Served()
    served.stops[arm] = Stop("why", code)
    with pytest.raises(Stop, match="why"):
        searched(served)


def test_disturbed_rounds_are_counted_and_decide_nothing() -> None:
    served = Served()
    served.busy = {1, 5}
    record = searched(served, replace(GRID, budget=12000))
    assert (record["verdict"], record["best"], record["disturbed_rounds"]) == ("pass", "n3", 2)
    assert record["disturbances"]["cpu"] == 2
    assert record["rounds"] >= 6
    served = Served()
    served.busy = set(range(1000))
    nothing = searched(served)
    assert (nothing["verdict"], nothing["best"], nothing["speedup"]) == ("undecided", None, None)
    assert "undisturbed" in nothing["reason"]


def with_context(record: dict[str, Any], card: dict[str, Any] | None) -> dict[str, Any]:
    context = {"card": card, "release": "b11434-cpu-0123456789", "model_sha256": "a" * 64}
    return {**record, "context": context, "finished": 1793500000.0}


@pytest.mark.parametrize(
    "card",
    [None, {"name": "NVIDIA GeForce RTX 4090", "driver": "580.95.05", "power_limit_w": 450.0}],
)
def test_the_entry_is_what_the_site_takes(card: dict[str, Any] | None) -> None:
    entry = tuned.entry(with_context(searched(Served()), card))
    assert faults(entry) == []
    assert (entry["draft_n_max"], entry["draft_p_min"]) == (3, 0.0)
    evidence = entry["evidence"]
    assert evidence["card"] == (card and card["name"])
    assert evidence["measured"] == "2026-11-01"
    assert (evidence["tps"], evidence["baseline_tps"]) == (88.1, 44.9)


def test_the_table_has_a_row_for_each_and_marks_the_winner() -> None:
    record = searched(Served())
    rows = tune_table.rows(record)
    assert [row[0] + " " + row[1] for row in rows] == [
        "0 -", "1 0", "2 0", "3 0", "3 0.5", "3 0.75", "4 0", "5 0",
    ]  # fmt: skip
    assert rows[0][3] == "-"
    low, high = record["interval"]
    assert rows[3][2:] == [
        "88.1", f"{record['speedup']:.2f}x [{low:.2f}, {high:.2f}]", "2.50", "6", "best",
    ]  # fmt: skip
    assert [row[-1] for row in rows].count("") == 7
    assert tune_table.rows({}) == []


def test_a_unit_for_every_arm_with_its_own_way_to_draft() -> None:
    settings = Settings(backend="cpu", draft_n_max=9)
    over = tune_job.grid(settings, tune.checked(depths=None, p_min=None, budget_tokens=None))
    units = tune_job.units(settings, 4, over, 252)
    assert len(units) == 19
    assert set(units) == set(tune_job.recipes(over))
    assert "--spec" not in units["n0"]
    assert "--spec-draft-n-max 4 --spec-draft-p-min 0.75 " in units["n4-p0.75"]
    assert "--spec-draft-n-max 2 --spec-draft-p-min 0.0 " in units["n2"]
    for text in units.values():
        assert "/opt/llamarig/generations/4/release/bin/llama-server -m " in text
        assert "--host 127.0.0.1 --port 18080" in text


def test_the_search_over_a_host_is_the_search() -> None:
    """What the host adds to the search changes nothing of it."""
    served = Served()
    ask = onhost.asking(config(), served, {})  # type: ignore[arg-type]
    assert Search(onhost.grid(config()), ask).run().best == Search(GRID, ask).run().best
    assert onhost.grid(config()) == GRID
    assert tune_record.of  # the record's own tests are above
