"""The proof: baseline against MTP on this host, and the switch if it passes.

The live server is stopped meanwhile: two models do not fit on one card, and it would disturb.
"""

from __future__ import annotations

import time
from typing import Any

from llamarig.onhost import beside, binary, context, measurements, proof, rounds, switch, systemd
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json
from llamarig.onhost.memory import look
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED, Rounds
from llamarig.onhost.sample import out_of_reach


def measure(config: dict[str, Any], bench: Rounds) -> dict[str, Any]:
    """Rounds until the gate is decided on clean ones, or can't be within max_rounds."""
    gate = proof.Gate(
        config["min_speedup"], config["min_acceptance_length"], config["rounds"], config["equal"]
    )
    a_round = len(proof.ARMS) * len(config["prompts"])
    result: dict[str, Any] = {}
    for number in range(1, config["max_rounds"] + 1):
        bench.planned = max(number, config["rounds"]) * a_round
        bench.measure(number, proof.ARMS)
        # There and back: only two rounds together are free of drift.
        left = config["max_rounds"] - number
        final = not left or out_of_reach(bench.samples, left, gate.rounds)
        if final or (number >= config["rounds"] and number % 2 == 0):
            result = proof.judge(bench.samples, gate, bench.greedy_equal(), final=final)
            if final or result["verdict"] != "undecided":
                break
    return {**result, "load_seconds": bench.load_seconds}


def _again(config: dict[str, Any], old: dict[str, Any], bench: Rounds) -> dict[str, Any]:
    """A proof for the same inputs exists: see that this candidate serves and drafts at all."""
    server = bench.loaded("mtp")
    answer = rounds.ask(server, config["prompts"][0]["text"], config["warmup_tokens"], 1)
    if not answer.draft_n_accepted:
        raise Stop("the MTP server accepted none of its drafts", NOT_PASSED)
    print(f"reusing the proof of generation {old['generation']}", flush=True)
    return {**old, "reused_from": old.get("reused_from", old["generation"])}


def _stop_live(config: dict[str, Any]) -> None:
    if config["flip"]:
        switch.begin(config)
    else:
        systemd.stop(config["live_unit"])


def _kept(config: dict[str, Any], record: dict[str, Any]) -> bool:
    """Whether a candidate that was measured below the gate is to serve all the same."""
    return bool(config["keep"] and config["flip"] and record["verdict"] == "fail")


def _record(
    config: dict[str, Any], record: dict[str, Any], bench: Rounds, old: dict[str, Any] | None
) -> None:
    """Write down what came out; a reused proof is no new measurement. A proof that never came to
    measuring takes nothing away from one that passed."""
    if bench.samples or record["verdict"] == "pass" or not _passed(config["record"]):
        write_json(config["record"], record)
    if config["flip"] and record["verdict"] != "pass":
        switch.note(config, record["reason"])
    if bench.samples and not old:
        measurements.append(config["measurements"], record)


def _passed(path: str) -> bool:
    try:
        return bool(read_json(path).get("verdict") == "pass")
    except (OSError, ValueError):
        return False


def main(path: str) -> int:
    """Prove the generation that the config names; 0 only if it passed, or is kept, and serves."""
    config = read_json(path)
    surroundings = context.look(config)
    reuse = proof.reusable(
        config["root"], config["proof_key"], surroundings["card"],
        config["min_speedup"], config["min_acceptance_length"],
    )  # fmt: skip
    old = reuse if config["reuse"] else None
    known = {
        "kind": "proof" if config["flip"] else "smoke", "generation": config["generation"],
        "proof_key": config["proof_key"], "proof_inputs": config["proof_inputs"],
        "started": time.time(), "context": surroundings, "memory_mib": {},
    }  # fmt: skip
    record: dict[str, Any] = {"verdict": "fail", "reason": "it was not finished", "kept": False}
    with Rounds(config) as bench:
        try:
            known["version"] = binary.version(config["arms"]["mtp"], config["build_number"])
            beside.stop_check()
            _stop_live(config)
            known["memory_mib"], problem = look(config["fit"], config["fit_environment"])
            if problem:
                raise Stop(problem, NOT_PASSED)
            record = _again(config, old, bench) if old else measure(config, bench)
            record["kept"] = _kept(config, record)
        except Stop as stop:
            verdict = "undecided" if stop.code == UNDECIDED else "fail"
            record = {**record, "verdict": verdict, "reason": str(stop)}
            raise
        finally:
            known["finished"] = time.time()
            if old and record["verdict"] == "pass":
                known.update({key: old[key] for key in ("started", "finished", "context")})
            _record(config, {**record, **known, "residency": bench.residency}, bench, old)
    print(record["reason"], flush=True)
    if record["verdict"] != "pass" and not record["kept"]:
        raise Stop(record["reason"], NOT_PASSED if record["verdict"] == "fail" else UNDECIDED)
    if config["flip"]:
        switch.go(config)
    return 0
