"""What a sample is worth: who disturbed it, and what was accepted."""

from __future__ import annotations

import pytest

from llamarig.onhost import sample, watch
from llamarig.onhost.nvidia_smi import parse_card
from llamarig.onhost.rounds import shared, tagged
from llamarig.onhost.sample import Taken


def taken(**changes: object) -> Taken:
    known: dict[str, object] = {
        "arm": "mtp", "round": 1, "prompt": "a", "kind": "math", "tps": 80.0, "predicted_n": 100,
    }  # fmt: skip
    return Taken(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "causes"),
    [
        ({}, []),
        ({"foreign": 0.1}, []),
        ({"foreign": 0.11}, ["cpu"]),
        ({"pressure": 1.0}, []),
        ({"throttled": ["power brake"], "others": 3}, ["throttling", "clients"]),
    ],
)
def test_who_disturbed(changes: dict[str, object], causes: list[str]) -> None:
    assert taken(**changes).disturbed == causes


def test_the_length_counts_the_models_own_token_too() -> None:
    """llama-server's log says the same of it: mean len = 1 + accepted / steps."""
    drafts = [taken(draft_n=90, draft_n_accepted=60), taken(draft_n=60, draft_n_accepted=40)]
    assert sample.acceptance(drafts) == pytest.approx(100 / 150)
    assert sample.acceptance_length(drafts) == pytest.approx(200 / 100)
    assert (sample.acceptance([taken()]), sample.acceptance_length([taken()])) == (None, 1.0)
    assert sample.acceptance_length([]) is None


def test_rounds_are_counted_once_a_cause() -> None:
    loud = [taken(foreign=0.5), taken(foreign=0.5, prompt="b"), taken(round=2, others=1), taken()]
    assert sample.disturbances(loud) == {"cpu": 1, "throttling": 0, "clients": 1}


def test_clean_rounds_that_can_no_longer_be_had_end_a_measurement() -> None:
    rounds = [taken(round=1), taken(round=2, others=9), taken(round=3, others=9), taken(round=4)]
    assert not sample.out_of_reach(rounds, left=1, wanted=3)
    assert sample.out_of_reach(rounds, left=0, wanted=3)
    assert not sample.out_of_reach(rounds, left=0, wanted=2)


def test_a_power_limit_disturbs_nothing_heat_does() -> None:
    assert watch.reasons(0x4 | 0x1) == []
    assert watch.reasons(0x40 | 0x8) == ["hardware slowdown", "hardware thermal slowdown"]


def test_a_card_is_read_as_nvidia_smi_prints_it() -> None:
    line = "NVIDIA GeForce RTX 4090, GPU-1a, 580.95.05, 450.00, 450.00, 2520, 10501, 61, 24564\n"
    found = parse_card(line)
    assert found
    assert (found["name"], found["driver"]) == ("NVIDIA GeForce RTX 4090", "580.95.05")
    assert (found["power_limit_w"], found["temperature_c"]) == (450.0, 61.0)
    assert parse_card(line.replace("450.00, 450.00", "[N/A], [N/A]"))["power_limit_w"] is None  # type: ignore[index]
    assert parse_card("No devices were found\n") is None
    assert parse_card("") is None


@pytest.mark.parametrize(("mib", "said"), [(300.0, False), (None, False), (3000.0, True)])
def test_a_desktop_on_the_card_is_fine_and_another_model_is_not(
    mib: float | None, said: bool
) -> None:
    other = {"pid": 7, "name": "python3", "mib": mib}
    line = shared({"nvidia_smi": {"own_mib": 1.0, "others": [other]}})
    assert (line is not None) is said
    assert not said or "python3 (pid 7)" in str(line)
    assert shared({"nvidia_smi": None}) is None


def test_no_two_rounds_ask_the_same() -> None:
    assert len({tagged("Why?", number) for number in range(1, 10)}) == 9
