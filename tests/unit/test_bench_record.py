"""What follows from a bench's samples, and how often it measures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamarig.onhost import arms, bench
from llamarig.onhost.sample import Taken

RECIPES: dict[str, dict[str, Any]] = {
    f"n{depth}": {"draft_n_max": depth, "draft_p_min": None} for depth in (0, 2, 3)
}
PROMPTS = [{"id": "a", "class": "math", "text": "x"}, {"id": "b", "class": "code", "text": "y"}]
SPEED = {"n0": 50.0, "n2": 90.0, "n3": 100.0}


def a_round(number: int, **changes: dict[str, Any]) -> list[Taken]:
    """One round of all arms; changes: by arm. Prompt b is a fifth faster than a."""
    found = []
    for name, recipe in RECIPES.items():
        for prompt in PROMPTS:
            faster = 1.2 if prompt["id"] == "b" else 1.0
            depth = recipe["draft_n_max"]
            one = Taken(
                name, number, prompt["id"], prompt["class"], SPEED[name] * faster, 100,
                draft_n=30 * depth, draft_n_accepted=20 * depth, prompt_tps=400.0 - depth,
            )  # fmt: skip
            found.append(replace(one, **changes.get(name, {})))
    return found


def test_every_arm_has_its_figures() -> None:
    found = arms.figures(a_round(1) + a_round(2), RECIPES)
    assert list(found) == ["n0", "n2", "n3"]
    two = found["n2"]
    assert (two["draft_n_max"], two["draft_p_min"], two["rounds"]) == (2, None, 2)
    assert two["tps"] == pytest.approx(99.0)  # (90 + 108) / 2
    assert two["speedup"] == pytest.approx(1.8)
    assert two["interval"][0] <= 1.8 + 1e-9
    assert two["interval"][1] >= 1.8 - 1e-9
    assert two["acceptance"] == pytest.approx(2 / 3)
    assert two["acceptance_length"] == pytest.approx(100 / 60)
    assert two["prefill_tps"] == 398.0
    assert two["per_prompt"]["b"]["tps"] == pytest.approx(108.0)
    assert two["per_prompt"]["b"]["class"] == "code"
    assert two["per_prompt"]["a"]["speedup"] == pytest.approx(1.8)
    base = found["n0"]
    assert (base["speedup"], base["interval"], base["acceptance"]) == (1.0, None, None)
    assert base["acceptance_length"] == 1.0


def test_one_round_has_no_interval() -> None:
    found = arms.figures(a_round(1), RECIPES)["n3"]
    assert (found["speedup"], found["interval"]) == (2.0, None)
    assert found["per_prompt"]["a"]["interval"] is None


def test_a_disturbed_arm_loses_its_round_and_the_others_keep_it() -> None:
    samples = a_round(1) + a_round(2, n3={"foreign": 0.5, "tps": 1.0}) + a_round(3)
    found = arms.figures(samples, RECIPES)
    assert {name: each["rounds"] for name, each in found.items()} == {"n0": 3, "n2": 3, "n3": 2}
    assert found["n3"]["speedup"] == pytest.approx(2.0)
    assert arms.clean_rounds(samples, RECIPES) == 2


def test_a_disturbed_baseline_costs_every_arm_its_round() -> None:
    samples = a_round(1) + a_round(2, n0={"others": 5})
    found = arms.figures(samples, RECIPES)
    assert {each["rounds"] for each in found.values()} == {1}


def test_the_reason_names_the_best_depth() -> None:
    found = bench.judge(a_round(1) + a_round(2), RECIPES, 2)
    assert (found["verdict"], found["best"]) == (None, "n3")
    assert found["reason"].startswith("the best depth is 3, speedup 2.00 [")
    assert found["speedup"] == pytest.approx(2.0)
    assert found["interval"] == found["arms"]["n3"]["interval"]
    assert (found["rounds"], found["disturbed_rounds"]) == (2, 0)
    assert json.loads(json.dumps(found))["samples"][0]["arm"] == "n0"


def test_it_says_when_speculation_does_not_pay() -> None:
    slow: dict[str, Any] = {"tps": 40.0}
    found = bench.judge(a_round(1, n2=slow, n3=slow) + a_round(2, n2=slow, n3=slow), RECIPES, 2)
    assert (found["best"], found["speedup"]) == ("n0", 1.0)
    assert found["reason"] == "no depth is faster than no speculation"


def test_too_few_clean_rounds_are_undecided_and_say_why() -> None:
    samples = a_round(1) + a_round(2, n2={"foreign": 0.5}, n3={"throttled": ["power brake"]})
    found = bench.judge(samples, RECIPES, 2)
    assert found["verdict"] == "undecided"
    assert found["reason"].startswith(
        "only 1 of 2 rounds were undisturbed, 2 were asked for: other"
    )
    assert "held its clocks back" in found["reason"]
    assert found["disturbances"] == {"cpu": 1, "throttling": 1, "clients": 0}


def test_nothing_clean_is_a_record_all_the_same() -> None:
    found = bench.judge(a_round(1, n0={"foreign": 1.0}), RECIPES, 1)
    assert (found["verdict"], found["best"], found["speedup"]) == ("undecided", None, None)
    assert found["arms"]["n2"]["tps"] is None
    assert json.dumps(found)


class Recorded:
    """Rounds that were measured before; the first `loud` of them were disturbed."""

    def __init__(self, loud: int = 0) -> None:
        self.samples: list[Taken] = []
        self.load_seconds: dict[str, list[float]] = {"n0": [1.0]}
        self.planned, self.loud = 0, loud
        self.orders: list[list[str]] = []

    def measure(self, number: int, names: list[str]) -> list[Taken]:
        self.orders.append(list(names))
        taken = a_round(number, n2={"foreign": 0.9} if number <= self.loud else {})
        self.samples += taken
        return taken

    def greedy_equal(self) -> bool | None:
        return True


@pytest.mark.parametrize(
    ("wanted", "loud", "measured", "verdict"),
    [(2, 0, 2, None), (1, 0, 1, None), (2, 1, 3, None), (2, 2, 4, None), (2, 3, 4, "undecided"),
     (1, 1, 2, None), (1, 9, 2, "undecided")],
)  # fmt: skip
def test_disturbed_rounds_are_measured_anew_up_to_twice_as_many(
    wanted: int, loud: int, measured: int, verdict: str | None
) -> None:
    config = {"rounds": wanted, "recipes": RECIPES, "prompts": PROMPTS}
    rounds: Any = Recorded(loud)
    found = bench.measure(config, rounds)
    assert len(rounds.orders) == measured
    assert rounds.orders[0] == ["n0", "n2", "n3"]
    assert rounds.planned == len(rounds.samples)
    assert (found["verdict"], found["answers_equal"]) == (verdict, True)
    assert found["load_seconds"] == {"n0": [1.0]}


DISTURBED = st.lists(st.sampled_from(["", "n0", "n2", "n3"]), min_size=1, max_size=6)


# A loaded machine is no fault: no deadline, and the same examples every time.
STEADY = settings(
    max_examples=200, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@STEADY
@given(DISTURBED, st.integers(1, 6))
def test_no_figure_rests_on_a_disturbed_answer(who: list[str], wanted: int) -> None:
    """Disturbed answers are a thousand times faster here; none of that may show."""
    samples = [
        each
        for number, name in enumerate(who, 1)
        for each in a_round(number, **({name: {"foreign": 0.9, "tps": 1e5}} if name else {}))
    ]
    found = bench.judge(samples, RECIPES, wanted)
    for each in found["arms"].values():
        assert each["tps"] is None or each["tps"] < 200
        assert each["speedup"] is None or each["speedup"] < 3
        assert each["rounds"] <= len(who)
    assert (found["verdict"] is None) == (found["rounds"] >= wanted)
