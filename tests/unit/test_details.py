"""What a smoke test says prompt by prompt."""

from __future__ import annotations

from typing import Any

import pytest

from llamarig.cli import details
from llamarig.onhost import proof
from llamarig.onhost.sample import Taken

GATE = proof.Gate(1.7, 1.5, 2, equal=True)


def record(**changes: Any) -> dict[str, Any]:
    taken = []
    for number in (1, 2):
        taken.append(Taken("baseline", number, "marbles", "math", 44.2, 128, prompt_tps=463.6))
        taken.append(Taken("mtp", number, "marbles", "math", 97.8, 128, 105, 92, prompt_tps=311.5))
    return {**proof.judge(taken, GATE, True), **changes}


def test_every_prompt_has_a_line_and_all_together_one() -> None:
    head, marbles, overall = details.rows(record())
    assert len(head) == len(marbles) == len(overall)
    assert marbles[:4] == ["marbles", "math", "44.2", "97.8"]
    assert marbles[4].startswith("2.21x [2.21, 2.21]")
    assert marbles[5:] == ["88%", "3.56"]
    assert overall[0] == "overall"


def test_the_notes_say_time_prefill_and_what_was_thrown_away() -> None:
    said = details.notes(
        record(
            load_seconds={"mtp": [3.0, 6.12], "baseline": [5.0]},
            disturbed_rounds=3,
            disturbances={"cpu": 2, "clients": 1, "throttling": 0},
        )
    )
    assert said == [
        "22.6 -> 10.2 ms a token",
        "prefill 464 -> 312 t/s, 33% slower with MTP",
        "loading took at most baseline 5.0 s, mtp 6.1 s",
        "3 rounds were thrown away (clients 1, cpu 2), 2 counted",
        "greedy answers equal between the arms",
    ]


@pytest.mark.parametrize("nothing", [{}, {"verdict": "fail", "reason": "it crashed"}])
def test_nothing_measured_says_nothing(
    nothing: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    details.show("gpu01", nothing)
    assert capsys.readouterr().out == ""
