"""Measuring a server that serves: against a stand-in that answers at a chosen speed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_llama_server import Fake, running

from llamarig.onhost import live, live_judge, load, measurements, proof, recorded, slots
from llamarig.onhost.errors import Stop
from llamarig.onhost.exchange import Server
from llamarig.onhost.live_server import Live
from llamarig.onhost.recorded import Baseline, Serving
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED
from llamarig.onhost.sample import Taken

PROMPTS = [
    {"id": "one", "class": "code", "text": "Write it."},
    {"id": "two", "class": "prose", "text": "Say it."},
]
CARD = {"name": "RTX 4090", "uuid": "GPU-1", "driver": "580.1", "power_limit_w": 450.0}
CONFIG: dict[str, Any] = {
    "kind": "live", "live_unit": "llamarig-no-such.service", "key_file": "/none", "backend": "cpu",
    "gpu": None, "prompts": PROMPTS, "prompts_digest": "p1", "warmup": "Hello.",
    "warmup_tokens": 8, "rounds": 3, "max_rounds": 5, "min_speedup": 1.7,
    "min_acceptance_length": 1.5, "request_timeout_s": 10, "patience_s": 0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this machine does is no part of a test."""
    monkeypatch.setattr(load, "LIMIT", 2.0)


def baseline(tps: float = 44.0) -> list[Taken]:
    return [
        Taken(arm="baseline", round=number, prompt=each["id"], kind=each["class"],
              tps=tps * (1 + 0.01 * (number % 3 - 1)), predicted_n=64, prompt_tps=600.0,
              foreign=-2.0)
        for number in range(1, 7) for each in PROMPTS
    ]  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    """A proof as the host keeps it."""
    found = {
        "verdict": "pass", "generation": 4, "finished": 1764000000.0, "proof_key": "k1",
        "version": "version: 0.6.0-dev (build 11434)", "proof_inputs": {},
        "samples": [each.document() for each in baseline()],
        "context": {"prompts_digest": "p1", "suite": "walkthrough", "card": None, "release": "r1"},
    }  # fmt: skip
    return {**found, **changes}


def generation(root: Path, proof_document: Any = ...) -> Serving:
    """Generation 4, current below `root`."""
    folder = root / "generations" / "4"
    folder.mkdir(parents=True)
    manifest = {"proof_key": "k1", "keyed": False, "address": {"bind": "127.0.0.1", "port": 9}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "recipe.json").write_text(json.dumps({"tokens": 64}))
    if proof_document is not None:
        text = json.dumps(document() if proof_document is ... else proof_document)
        (folder / "proof.json").write_text(text)
    os.symlink("generations/4", root / "current")
    return recorded.serving(str(root))


def measured(fake: Fake, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    found = generation(tmp_path)
    server = Live(Server(fake.address, os.getpid(), 10, fake.key))
    config = {**CONFIG, **changes}
    return live.measure(config, found, server, recorded.baseline(found, "p1", None))


def test_a_fast_server_passes_and_the_baseline_is_the_recorded_one(tmp_path: Path) -> None:
    with running(Fake(tps=88.0)) as fake:
        found = measured(fake, tmp_path)
    assert (found["verdict"], found["rounds"]) == ("pass", 3)
    assert found["speedup"] == pytest.approx(2.0, rel=0.02)
    assert found["interval"][0] <= found["speedup"] <= found["interval"][1]
    assert found["baseline_tps"] == pytest.approx(44, rel=0.01)
    assert found["acceptance_length"] == pytest.approx(64 / 22)
    assert found["prefill_loss"] == pytest.approx(1 - 500 / 600)
    assert set(found["per_prompt"]) == {"one", "two"}
    assert found["per_prompt"]["one"]["class"] == "code"
    assert {each["arm"] for each in found["samples"]} == {"mtp"}
    assert found["reason"].startswith("speedup 2.0")
    assert "reaches 1.70" in found["reason"]


def test_requests_are_those_of_a_proof_and_none_equals_another(tmp_path: Path) -> None:
    with running(Fake()) as fake:
        measured(fake, tmp_path)
    warm_up, *rest = fake.asked
    assert warm_up["temperature"] == 0
    assert [each["seed"] for each in rest] == [1, 1, 2, 2, 3, 3]
    assert len({each["messages"][0]["content"] for each in rest}) == 6
    for each in rest:
        assert each["cache_prompt"] is False
        assert each["chat_template_kwargs"] == {"enable_thinking": False}
        assert (each["max_tokens"], "temperature" in each) == (64, False)


def test_a_slow_server_fails(tmp_path: Path) -> None:
    with running(Fake(tps=60.0)) as fake:
        found = measured(fake, tmp_path)
    assert (found["verdict"], found["rounds"]) == ("fail", 3)
    assert "is below 1.70" in found["reason"]


def test_a_gate_inside_of_the_interval_is_undecided_after_all_rounds(tmp_path: Path) -> None:
    with running(Fake(tps=88.0)) as fake:
        found = measured(fake, tmp_path, min_speedup=2.0)
    assert (found["verdict"], found["rounds"]) == ("undecided", 5)
    assert found["speedup"] == pytest.approx(2.0, rel=0.02)


def test_a_short_acceptance_length_fails_whatever_the_speed(tmp_path: Path) -> None:
    with running(Fake()) as fake:
        found = measured(fake, tmp_path, min_acceptance_length=3.0)
    assert found["verdict"] == "fail"
    assert "a step yields 2.91 tokens, below min_acceptance_length 3.00" in found["reason"]


def test_garbage_is_no_speed(tmp_path: Path) -> None:
    with running(Fake(text="/" * 200)) as fake, pytest.raises(Stop) as stop:
        measured(fake, tmp_path)
    assert stop.value.code == NOT_PASSED
    assert "answers garbage" in str(stop.value)


def test_users_go_first(tmp_path: Path) -> None:
    with running(Fake(busy=3)) as fake:
        found = measured(fake, tmp_path, patience_s=60)
    assert found["verdict"] == "pass"
    assert fake.looks > 3


def test_a_server_that_is_never_free_is_asked_nothing(tmp_path: Path) -> None:
    with running(Fake(busy=None)) as fake:
        found = measured(fake, tmp_path)
    assert fake.asked == []
    assert (found["verdict"], found["busy"], found["samples"]) == ("undecided", True, [])
    assert found["reason"].startswith("busy: users were served; 0 s of waiting")


def test_users_that_come_meanwhile_end_it(tmp_path: Path) -> None:
    """One answer to warm up and two a round: they come in the second round."""
    with running(Fake(come=4)) as fake:
        found = measured(fake, tmp_path)
    assert len(fake.asked) == 4
    assert (found["verdict"], found["busy"], found["rounds"]) == ("undecided", True, 1)


def test_another_request_beside_ours_disturbs(tmp_path: Path) -> None:
    with running(Fake(slots=4, neighbour=True)) as fake:
        found = measured(fake, tmp_path)
    assert (found["verdict"], found["rounds"], found["disturbed_rounds"]) == ("undecided", 0, 3)
    assert found["disturbances"] == {"cpu": 0, "throttling": 0, "clients": 3}
    assert "other clients were served meanwhile" in found["reason"]


def test_other_programs_disturb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LIMIT", -1.0)
    with running(Fake()) as fake:
        found = measured(fake, tmp_path)
    assert found["verdict"] == "undecided"
    # Three of five are needed: two more could not make them.
    assert found["disturbances"]["cpu"] == 3
    assert "only 0 of 3 rounds were undisturbed, 3 are needed: other programs" in found["reason"]


def test_it_speaks_tls_and_shows_the_key(tmp_path: Path) -> None:
    pem = tmp_path / "lan.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=elsewhere",
         "-days", "2", "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
        capture_output=True, check=True,
    )  # fmt: skip
    pem.write_text((tmp_path / "key").read_text() + (tmp_path / "cert").read_text())
    with running(Fake(key="secret"), pem) as fake:
        address = {**fake.address, "scheme": "https"}
        assert Live(Server(address, os.getpid(), 10, "secret")).idle(0)
        with pytest.raises(Stop, match="401") as stop:
            Live(Server(address, os.getpid(), 10, "wrong")).idle(0)
    assert stop.value.code == UNDECIDED
    assert "wrong" not in str(stop.value)


def test_a_server_without_slots_leaves_it_undecided(tmp_path: Path) -> None:
    with running(Fake(slots=0)) as fake, pytest.raises(Stop, match=r"/slots.*501") as stop:
        measured(fake, tmp_path)
    assert stop.value.code == UNDECIDED


def test_slots_tell_who_was_beside_us() -> None:
    def listed(*found: tuple[int | None, bool]) -> list[slots.Slot]:
        return [slots.Slot(number, task, busy, 150) for number, (task, busy) in enumerate(found)]

    one, none = listed((1, False)), listed((None, False), (7, False))
    assert slots.of_others(one, listed((9, False)), 150) == 0
    assert slots.of_others(one, listed((9, True)), 150) == 0  # one slot: it began after ours
    assert slots.of_others(none, listed((8, False), (7, False)), 150) == 0
    assert slots.of_others(none, listed((8, False), (7, True)), 150) == 150
    assert slots.of_others(none, listed((8, False), (9, False)), 150) == 150
    assert slots.of_others(none, listed((8, False), (9, False)), 400) == 1
    for wrong in (None, 7, "x", [None], [{}], [{"id": "x", "is_processing": 1}]):
        with pytest.raises(ValueError, match=r"slots|literal"):
            slots.parse(wrong)


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (None, "generation 4 has no recorded baseline"),
        ({"verdict": "pass"}, "generation 4 has no recorded baseline"),
        ([], "generation 4 has no recorded baseline"),
        ({"samples": [{"arm": "baseline", "block": 1}]}, "generation 4 has no recorded baseline"),
        (document(proof_key="k2"), "another release, model or recipe"),
        (document(context={"prompts_digest": "p2", "card": None}), "other prompts (proof_suite)"),
        (document(context={"prompts_digest": "p1", "card": CARD}), "another card"),
        (document(samples=[{**each.document(), "foreign": 9.0} for each in baseline()]),
         "generation 4 has no recorded baseline"),
    ],
)  # fmt: skip
def test_a_baseline_of_something_else_does_not_count(
    tmp_path: Path, kept: Any, reason: str
) -> None:
    with pytest.raises(Stop) as stop:
        recorded.baseline(generation(tmp_path, kept), "p1", None)
    assert stop.value.code == UNDECIDED
    assert reason in str(stop.value)
    assert str(stop.value).endswith("`llamarig smoke --full` measures both anew")


def test_a_generation_that_was_edited_is_compared_with_nothing(tmp_path: Path) -> None:
    found = generation(tmp_path)
    folder = Path(found.folder)
    sums = {"recipe.json": hashlib.sha256((folder / "recipe.json").read_bytes()).hexdigest()}
    (folder / "release").symlink_to("/opt/llamarig/releases/b1")
    (folder / "model.gguf").symlink_to("/data/m.gguf")
    manifest = {
        **found.manifest, "files": sums, "release": "b1", "model": {"path": "/data/m.gguf"}
    }  # fmt: skip
    found = replace(found, manifest=manifest)
    assert recorded.baseline(found, "p1", None).samples
    (folder / "recipe.json").write_text("{}")
    with pytest.raises(Stop, match="was edited by hand"):
        recorded.baseline(found, "p1", None)


def test_another_power_limit_is_named(tmp_path: Path) -> None:
    found = generation(tmp_path, document(context={"prompts_digest": "p1", "card": CARD}))
    assert recorded.baseline(found, "p1", dict(CARD)).proof["generation"] == 4
    with pytest.raises(Stop, match=r"\(power_limit_w 450.0 -> 300.0\)"):
        recorded.baseline(found, "p1", {**CARD, "power_limit_w": 300.0})


def test_a_server_that_does_not_answer_fails(tmp_path: Path) -> None:
    found = live.take(CONFIG, generation(tmp_path))
    assert (found["verdict"], found["speedup"]) == ("fail", None)
    assert found["reason"] == "llamarig-no-such.service does not answer at port 9"


def test_what_was_measured_is_kept_beside_the_generation_and_in_the_log(tmp_path: Path) -> None:
    found = generation(tmp_path)
    log = tmp_path / "state" / "measurements.jsonl"
    record = live.take(CONFIG, found)
    live.keep({**CONFIG, "measurements": str(log)}, found, record)
    beside = json.loads((tmp_path / "generations" / "4" / "live.json").read_text())
    (line,) = measurements.read(str(log))
    assert beside["reason"] == line["reason"] == record["reason"]
    assert line["kind"] == "live"


def test_nothing_deployed_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Stop, match="nothing is deployed here; first: llamarig up"):
        recorded.serving(str(tmp_path))


def test_another_generations_process_is_told_from_this_ones(tmp_path: Path) -> None:
    found = generation(tmp_path)
    path = tmp_path / "4" / "release" / "sleeper"
    path.parent.mkdir(parents=True)
    path.symlink_to("/bin/sleep")
    for program, ours in ((str(path), True), ("/bin/sleep", False)):
        child = subprocess.Popen([program, "60"])
        try:
            while not Path(f"/proc/{child.pid}/cmdline").read_bytes():
                pass  # the kernel has not set it up yet
            assert recorded.runs(found, child.pid) is ours
        finally:
            child.kill()
            child.wait()
    assert not recorded.runs(found, 2**22 + 1)


def test_a_judgement_of_rounds_from_before_users_came(tmp_path: Path) -> None:
    """Busy after enough clean rounds: they decide."""
    gate = proof.Gate(1.7, 1.5, 2, equal=False)
    rounds = [
        Taken(arm="mtp", round=number, prompt=each["id"], kind="x", tps=88.0 + number,
              predicted_n=64, draft_n=64, draft_n_accepted=40, prompt_tps=500.0)
        for number in (1, 2, 3) for each in PROMPTS
    ]  # fmt: skip
    assert live_judge.judge(rounds, baseline(), gate, busy="busy")["verdict"] == "pass"
    few = live_judge.judge(rounds[:2], baseline(), gate, busy="busy: x")
    assert (few["verdict"], few["reason"], few["rounds"]) == ("undecided", "busy: x", 1)
    none = live_judge.judge([], baseline(), gate)
    assert (none["verdict"], none["speedup"]) == ("undecided", None)


def test_a_disturbed_round_moves_no_figure() -> None:
    rounds = [
        Taken(arm="mtp", round=number, prompt=each["id"], kind="x", tps=tps, predicted_n=64,
              draft_n=64, draft_n_accepted=40, prompt_tps=500.0, others=others)
        for number, tps, others in ((1, 88.0, 0), (2, 10.0, 7), (3, 88.0, 0)) for each in PROMPTS
    ]  # fmt: skip
    found = live_judge.judge(rounds, baseline(), proof.Gate(1.7, 1.5, 2, equal=False))
    assert (found["verdict"], found["rounds"], found["disturbed_rounds"]) == ("pass", 2, 1)
    assert found["mtp_tps"] == pytest.approx(88)
    assert found["per_prompt"]["one"]["mtp_tps"] == pytest.approx(88)


def test_of_the_proof_only_the_baseline_counts(tmp_path: Path) -> None:
    both = [*baseline(), Taken(arm="mtp", round=1, prompt="one", kind="x", tps=9.0, predicted_n=1)]
    kept = document(samples=[each.document() for each in both])
    assert recorded.baseline(generation(tmp_path, kept), "p1", None).samples == baseline()


def test_a_reused_proof_names_where_it_was_made() -> None:
    assert Baseline({"generation": 7, "reused_from": 3}, []).origin["generation"] == 3
