"""What follows from samples, and what disturbance does to them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llamarig.onhost import load, proof, prove, sample
from llamarig.onhost.binary import is_build
from llamarig.onhost.errors import Stop
from llamarig.onhost.listening import reason
from llamarig.onhost.sample import Taken

GATE = proof.Gate(speedup=1.7, acceptance_length=1.5, rounds=6, equal=True)


def rounds(
    speedup: float, count: int = 6, first: int = 1, foreign: float = 0.0, accepted: int = 74
) -> list[Taken]:
    """Rounds of two prompts, 100 tokens an answer, without noise."""
    taken = []
    for number in range(first, first + count):
        for prompt, kind in (("a", "math"), ("b", "code")):
            taken.append(Taken("baseline", number, prompt, kind, 100.0, 100, prompt_tps=400.0))
            taken.append(
                Taken(
                    "mtp",
                    number,
                    prompt,
                    kind,
                    100.0 * speedup,
                    100,
                    78,
                    accepted,
                    prompt_tps=300.0,
                    foreign=foreign,
                )
            )
    return taken


def test_a_pass_carries_its_figures() -> None:
    found = proof.judge(rounds(2.0), GATE, True)
    assert found["verdict"] == "pass"
    assert (found["baseline_tps"], found["mtp_tps"]) == (100.0, 200.0)
    assert found["speedup"] == pytest.approx(2.0)
    assert found["acceptance"] == pytest.approx(74 / 78)
    assert found["acceptance_length"] == pytest.approx(100 / 26)
    assert found["ms_per_token"] == {"baseline": 10.0, "mtp": 5.0}
    assert found["prefill_loss"] == pytest.approx(0.25)
    assert found["per_prompt"]["a"]["class"] == "math"
    assert found["per_prompt"]["b"]["speedup"] == pytest.approx(2.0)
    assert found["reason"].endswith("reaches 1.70")
    assert json.dumps(found)


def test_below_the_gate_fails_and_says_by_how_much() -> None:
    found = proof.judge(rounds(1.02), GATE, True)
    assert found["verdict"] == "fail"
    assert "speedup 1.02 [1.02, 1.02] is below 1.70" in found["reason"]


def test_a_disturbed_round_never_decides() -> None:
    samples = rounds(2.0, first=1, foreign=0.5) + rounds(1.0, first=7)
    found = proof.judge(samples, GATE, True)
    assert found["verdict"] == "fail"
    assert (found["rounds"], found["disturbed_rounds"]) == (6, 6)
    assert found["disturbances"] == {"cpu": 6, "throttling": 0, "clients": 0}


def test_one_disturbed_answer_spoils_its_round_alone() -> None:
    samples = rounds(2.0, count=2)
    samples[0] = replace(samples[0], throttled=["hardware slowdown"])
    assert {each.round for each in sample.clean(samples)} == {2}
    assert samples[0].document()["disturbed"] == ["throttling"]


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (
            rounds(2.0, foreign=0.5),
            "only 0 of 6 rounds were undisturbed, 6 are needed (others took",
        ),
        (rounds(2.0, count=5), "only 5 of 5 rounds were undisturbed, 6 are needed"),
        ([], "only 0 of 0 rounds"),
    ],
)
def test_too_few_clean_rounds_are_undecided_with_their_cause(
    samples: list[Taken], words: str
) -> None:
    found = proof.judge(samples, GATE, True)
    assert found["verdict"] == "undecided"
    assert found["reason"].startswith(words)


def test_the_cause_names_how_much_was_taken() -> None:
    assert (
        "(others took up to 50%): other programs"
        in proof.judge(rounds(2.0, foreign=0.5), GATE)["reason"]
    )


def test_a_speed_without_accepted_drafts_is_no_pass() -> None:
    found = proof.judge(rounds(2.0, accepted=20), GATE, True)
    assert found["verdict"] == "fail"
    assert "a step yields 1.25 tokens, below min_acceptance_length 1.50" in found["reason"]


@pytest.mark.parametrize(
    ("gate", "equal", "verdict"),
    [
        (GATE, False, "fail"),
        (replace(GATE, equal=False), False, "pass"),
        (GATE, None, "pass"),
    ],
)
def test_other_greedy_answers_fail_where_that_is_asked_for(
    gate: proof.Gate, equal: bool | None, verdict: str
) -> None:
    found = proof.judge(rounds(2.0), gate, equal)
    assert (found["verdict"], found["answers_equal"]) == (verdict, equal)


def test_foreign_share_is_what_was_busy_and_not_ours() -> None:
    before = load.Moment(0.0, 10.0, 5.0)
    assert load.foreign_share(before, load.Moment(1.0, 12.0, 6.5), cores=2) == pytest.approx(0.25)
    assert load.foreign_share(before, load.Moment(1.0, 11.0, 6.1), cores=2) == 0.0


def test_pressure_is_the_time_in_which_something_waited() -> None:
    text = "some avg10=1.00 avg60=0.50 avg300=0.10 total=2500000\nfull avg10=0.00 total=0\n"
    assert load.parse_pressure(text) == pytest.approx(2.5)
    before, after = load.Moment(0.0, 0, 0, 1.0), load.Moment(2.0, 0, 0, 2.5)
    assert load.pressure(before, after) == pytest.approx(0.75)
    assert load.pressure(before, load.Moment(2.0, 0, 0, None)) is None


def test_proc_lines_are_read_as_the_kernel_writes_them() -> None:
    ticks = load._TICKS
    line = f"cpu {ticks} 0 {ticks} 999 999 0 0 {ticks} 0 0"
    assert load.parse_machine(line) == pytest.approx(3.0)
    fields = ["S", *["0"] * 10, str(ticks), str(2 * ticks)]
    assert load.parse_process(f"1 (a b) c) {' '.join(fields)} 0 0") == pytest.approx(3.0)


def test_the_servers_own_reason_is_found() -> None:
    lines = ["load_model: loading", "srv: error: model doesn't contain MTP layers", "exiting"]
    assert reason(lines) == "srv: error: model doesn't contain MTP layers"
    assert reason(["something new"]) == "something new"
    assert reason([]) == "it printed nothing"


def reusable(
    root: Path, key: str = "k", card: dict[str, Any] | None = None, gate: float = 1.7
) -> dict[str, Any] | None:
    return proof.reusable(str(root), key, card, gate, 1.5)


def kept(root: Path, number: int, text: str) -> None:
    """A generation's proof, as it lies on a host."""
    folder = root / "generations" / str(number)
    folder.mkdir(parents=True)
    (folder / "proof.json").write_text(text)


def test_a_raised_gate_wants_a_new_proof(tmp_path: Path) -> None:
    record = {"proof_key": "k", "verdict": "pass", "interval": [1.75, 1.9]}
    kept(tmp_path, 1, json.dumps({**record, "acceptance_length": 2.5}))
    assert reusable(tmp_path)
    assert reusable(tmp_path, gate=1.8) is None
    assert proof.reusable(str(tmp_path), "k", None, 1.7, 3.0) is None
    assert proof.short_of(record, 1.8, 1.5) == "it was proven to 1.75x, min_speedup is 1.80"


def test_damaged_proofs_stop_nobody(tmp_path: Path) -> None:
    record = {"proof_key": "k", "verdict": "pass"}
    damages = ({"finished": None}, {"context": "x"}, {"interval": "x"}, {"acceptance_length": "x"})
    for number, damage in enumerate(damages, 1):
        kept(tmp_path, number, json.dumps({**record, **damage}))
    kept(tmp_path, 9, json.dumps({**record, "generation": 9, "finished": 1.0}))
    found = reusable(tmp_path, card=None)
    assert found
    assert found["generation"] == 9


def test_only_a_pass_for_the_same_inputs_is_reused(tmp_path: Path) -> None:
    for number, (key, verdict) in enumerate([("k", "pass"), ("k", "fail"), ("other", "pass")], 1):
        folder = tmp_path / "generations" / str(number)
        folder.mkdir(parents=True)
        record = {"proof_key": key, "verdict": verdict, "generation": number, "finished": number}
        (folder / "proof.json").write_text(json.dumps(record))
    found = reusable(tmp_path)
    assert found
    assert found["generation"] == 1
    assert reusable(tmp_path, "unknown") is None
    assert reusable(tmp_path, card={"name": "RTX 4090"}) is None


def test_a_proof_on_another_card_driver_or_power_limit_is_not_reused(tmp_path: Path) -> None:
    card = {"name": "RTX 4090", "uuid": "GPU-1", "driver": "580.1", "power_limit_w": 450.0}
    folder = tmp_path / "generations" / "1"
    folder.mkdir(parents=True)
    record = {"proof_key": "k", "verdict": "pass", "generation": 1, "context": {"card": card}}
    (folder / "proof.json").write_text(json.dumps(record))
    warmer = {**card, "temperature_c": 70.0}
    assert reusable(tmp_path, card=warmer)
    for key, value in (("driver", "590.2"), ("power_limit_w", 300.0), ("uuid", "GPU-2")):
        assert reusable(tmp_path, card={**card, key: value}) is None
    assert reusable(tmp_path) is None


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("version: 0.6.0-dev (build 11434, commit f1a25c0bd) built with GNU 12.2.0", True),
        ("version: 11434 (f1a25c0)", True),
        ("version: 1 (f1a25c0)", False),
        ("version: 0.6.0-dev (build 114345, commit 11434)", False),
    ],
)
def test_the_build_number_is_read_in_both_forms(line: str, ours: bool) -> None:
    assert is_build(line, 11434) is ours


def test_the_record_of_a_proof_that_never_started_says_where_weights_were_seen_too(
    tmp_path: Path,
) -> None:
    unit = tmp_path / "candidate-mtp.service"
    unit.write_text(f"ExecStart={tmp_path}/no-such-program -m x\n")
    config = {
        "root": str(tmp_path), "record": str(tmp_path / "proof.json"), "reuse": True,
        "proof_key": "k", "proof_inputs": {}, "generation": 1, "arms": {"mtp": str(unit)},
        "build_number": 11434, "flip": False, "keep": False, "backend": "cpu", "gpu": None,
        "measured_with": {"suite": "walkthrough"}, "measurements": str(tmp_path / "log.jsonl"),
        "min_speedup": 1.7, "min_acceptance_length": 1.5,
    }  # fmt: skip
    (tmp_path / "prove.json").write_text(json.dumps(config))
    with pytest.raises(Stop, match="no-such-program"):
        prove.main(str(tmp_path / "prove.json"))
    record = json.loads((tmp_path / "proof.json").read_text())
    assert (record["residency"], record["verdict"]) == ({}, "fail")
    assert record["context"]["suite"] == "walkthrough"
    assert not (tmp_path / "log.jsonl").exists()


def test_a_single_clean_round_is_json_without_an_interval() -> None:
    found = proof.judge(rounds(2.0, count=1), GATE, True)
    assert (found["verdict"], found["interval"]) == ("undecided", None)
    assert found["per_prompt"]["a"]["interval"] is None
    assert "Infinity" not in json.dumps(found)
