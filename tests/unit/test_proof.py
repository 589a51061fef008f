"""What follows from samples, and what disturbance does to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llamarig.onhost import load, proof, prove
from llamarig.onhost.errors import Stop
from llamarig.onhost.listening import reason
from llamarig.onhost.proof import Taken
from llamarig.onhost.prove import is_build


def taken(arm: str, tps: float, block: int = 1, foreign: float = 0.0, prompt: str = "a") -> Taken:
    drafted = 30 if arm == "mtp" else 0
    run = 0 if arm == "baseline" else 1
    return Taken(arm, block, run, prompt, "math", tps, 100, drafted, drafted * 9 // 10, foreign)


def pair(speedup: float, block: int = 1, foreign: float = 0.0) -> list[Taken]:
    return [taken("baseline", 100.0, block), taken("mtp", 100.0 * speedup, block, foreign)]


def test_a_pass_carries_its_figures() -> None:
    found = proof.judge(pair(2.0), 1.7)
    assert found["verdict"] == "pass"
    assert (found["baseline_tps"], found["mtp_tps"]) == (100.0, 200.0)
    assert found["speedup"] == pytest.approx(2.0)
    assert found["acceptance"] == pytest.approx(0.9)
    assert found["reason"].endswith("reaches 1.70")


def test_below_the_gate_fails_and_says_by_how_much() -> None:
    found = proof.judge(pair(1.02), 1.7)
    assert found["verdict"] == "fail"
    assert "speedup 1.02 [1.02, 1.02] is below 1.70" in found["reason"]


def test_a_disturbed_block_never_decides() -> None:
    found = proof.judge(pair(2.0, block=1, foreign=0.5) + pair(1.0, block=2), 1.7)
    assert found["verdict"] == "fail"
    assert (found["blocks"], found["disturbed_blocks"]) == (2, 1)


def test_only_disturbed_blocks_are_no_pass() -> None:
    found = proof.judge(pair(2.0, foreign=0.5), 1.7)
    assert (found["verdict"], found["speedup"]) == ("inconclusive", None)
    assert "disturbed by other programs (up to 50%" in found["reason"]


def test_foreign_share_is_what_was_busy_and_not_ours() -> None:
    before = load.Moment(0.0, 10.0, 5.0)
    assert load.foreign_share(before, load.Moment(1.0, 12.0, 6.5), cores=2) == pytest.approx(0.25)
    assert load.foreign_share(before, load.Moment(1.0, 11.0, 6.1), cores=2) == 0.0


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


def test_only_a_pass_for_the_same_inputs_is_reused(tmp_path: Path) -> None:
    for number, (key, verdict) in enumerate([("k", "pass"), ("k", "fail"), ("other", "pass")], 1):
        folder = tmp_path / "generations" / str(number)
        folder.mkdir(parents=True)
        record = {"proof_key": key, "verdict": verdict, "generation": number, "finished": number}
        (folder / "proof.json").write_text(json.dumps(record))
    found = proof.reusable(str(tmp_path), "k")
    assert found
    assert found["generation"] == 1
    assert proof.reusable(str(tmp_path), "unknown") is None


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
        "build_number": 11434, "flip": False, "keep": False,
    }  # fmt: skip
    (tmp_path / "prove.json").write_text(json.dumps(config))
    with pytest.raises(Stop, match="no-such-program"):
        prove.main(str(tmp_path / "prove.json"))
    record = json.loads((tmp_path / "proof.json").read_text())
    assert (record["residency"], record["verdict"]) == ({}, "fail")
