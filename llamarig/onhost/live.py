"""Measures the live server as it serves: users go first, and nothing is stopped.

Its own speed is measured now; what it would be without MTP was recorded when it was proven, and
counts only for the same release, model, recipe, prompts, card, driver and power limit.
"""

from __future__ import annotations

import os
import time
from typing import Any

from llamarig.onhost import beside, context, live_judge, live_server, measurements, proof, recorded
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json
from llamarig.onhost.live_rounds import BusyError, LiveRounds
from llamarig.onhost.live_server import Live
from llamarig.onhost.recorded import Baseline, Serving
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED
from llamarig.onhost.sample import out_of_reach

RECORD = "live.json"
# Of what a measurement stands beside, the part that the machine does not tell.
INHERITED = ("suite", "prompts_digest", "release", "model_sha256", "recipe")


def take(config: dict[str, Any], found: Serving) -> dict[str, Any]:
    """The record of one measurement, whatever came out. Besides a proof's keys it has `baseline`
    (which one it is compared with) and `busy` (users left it too little time).

    config: kind, live_unit, key_file, prompts_digest, max_rounds, min_speedup,
    min_acceptance_length, request_timeout_s, and what LiveRounds takes.
    """
    surroundings = context.look({**config, "measured_with": {}})
    record: dict[str, Any] = {
        "kind": config["kind"], "generation": found.number, "started": time.time(), "busy": False,
        "proof_key": found.manifest.get("proof_key"), "min_speedup": config["min_speedup"],
        "speedup": None, "interval": None, "samples": [], "load_seconds": {}, "residency": {},
        "memory_mib": {}, "context": surroundings,
    }  # fmt: skip
    try:
        if job := beside.running(*beside.MEASURING):
            raise Stop(f"{job} is at work on the host; run it again when it is over", UNDECIDED)
        # First: a server that does not answer is no matter of what it is compared with.
        server = _reach(config, found)
        base = recorded.baseline(found, config["prompts_digest"], surroundings["card"])
        then = base.proof.get("context") or {}
        record["context"] = {**surroundings, **{key: then.get(key) for key in INHERITED}}
        record.update(
            version=base.proof.get("version"), proof_inputs=base.proof.get("proof_inputs"),
            baseline=base.origin,
        )  # fmt: skip
        record.update(measure(config, found, server, base))
    except Stop as stop:
        verdict = "undecided" if stop.code == UNDECIDED else "fail"
        record.update(verdict=verdict, reason=str(stop))
    return {**record, "finished": time.time()}


def _reach(config: dict[str, Any], found: Serving) -> Live:
    """The server of this generation.

    Raises:
        Stop: it does not answer, or another generation's does.
    """
    server = live_server.reach(
        config["live_unit"], found.manifest, config["key_file"], config["request_timeout_s"]
    )
    if not recorded.runs(found, server.pid):
        raise Stop(
            f"what runs is not generation {found.number}, which current names; `llamarig up` puts "
            "that right",
            NOT_PASSED,
        )
    return server


def measure(
    config: dict[str, Any], found: Serving, server: Live, base: Baseline
) -> dict[str, Any]:  # fmt: skip
    """Rounds until the gate is decided on clean ones, or can't be within max_rounds."""
    gate = proof.Gate(
        config["min_speedup"], config["min_acceptance_length"], config["rounds"], equal=False
    )
    rounds = LiveRounds(config, server, int(found.recipe["tokens"]))
    result: dict[str, Any] = {}
    try:
        rounds.warm_up()
        for number in range(1, config["max_rounds"] + 1):
            rounds.measure(number)
            left = config["max_rounds"] - number
            final = not left or out_of_reach(rounds.samples, left, gate.rounds)
            if final or number >= config["rounds"]:
                result = live_judge.judge(rounds.samples, base.samples, gate, final=final)
                if final or result["verdict"] != "undecided":
                    break
    except BusyError as error:
        result = live_judge.judge(rounds.samples, base.samples, gate, busy=str(error))
        return {**result, "busy": result["verdict"] == "undecided"}
    return result


def keep(config: dict[str, Any], found: Serving, record: dict[str, Any]) -> None:
    """Write it into the generation's folder and into the host's log."""
    write_json(os.path.join(found.folder, RECORD), record)
    measurements.append(config["measurements"], record)


def main(path: str) -> int:
    """Measure once, for somebody who waits; 0 whatever came out, for the record says it."""
    config = read_json(path)
    found = recorded.serving(config["root"])
    beside.stop_check()
    record = take(config, found)
    keep(config, found, record)
    print(record["reason"], flush=True)
    return 0
