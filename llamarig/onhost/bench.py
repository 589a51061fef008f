"""The bench: what serves on this host, measured without speculation and at several draft depths.

The live server is stopped meanwhile: two models do not fit on one card, and it would disturb.
"""

from __future__ import annotations

import time
from typing import Any

from llamarig.measure import speedup
from llamarig.onhost import arms, binary, context, measurements, proof, prove, sample, systemd
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json
from llamarig.onhost.memory import look
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED, Rounds
from llamarig.onhost.sample import Taken

# Rounds that somebody disturbed are measured anew, as many as were asked for at most.
MOST_TIMES = 2


def measure(config: dict[str, Any], bench: Rounds) -> dict[str, Any]:
    """Rounds until as many as were asked for are clean, or twice as many are measured."""
    names = list(config["recipes"])
    wanted = int(config["rounds"])
    for number in range(1, MOST_TIMES * wanted + 1):
        bench.planned = max(number, wanted) * len(names) * len(config["prompts"])
        bench.measure(number, names)
        if arms.clean_rounds(bench.samples, names) >= wanted:
            break
    record = judge(bench.samples, config["recipes"], wanted)
    equal = bench.greedy_equal()
    return {**record, "answers_equal": equal, "load_seconds": bench.load_seconds}


def judge(samples: list[Taken], recipes: dict[str, dict[str, Any]], wanted: int) -> dict[str, Any]:
    """Everything that follows from the samples. A bench has no gate, so its verdict is None unless
    too few of the `wanted` rounds are clean."""
    found = arms.figures(samples, recipes)
    name = arms.best(found)
    rounds = arms.clean_rounds(samples, recipes)
    enough = rounds >= wanted
    return {
        "arms": found,
        "best": name,
        "speedup": found[name]["speedup"] if name else None,
        "interval": found[name]["interval"] if name else None,
        "confidence": speedup.CONFIDENCE,
        "rounds": rounds,
        "disturbed_rounds": len({each.round for each in samples if each.disturbed}),
        "disturbances": sample.disturbances(samples),
        "samples": [each.document() for each in samples],
        "verdict": None if enough else "undecided",
        "reason": _best(found, name) if enough else _too_few(samples, rounds, wanted),
    }


def _best(found: dict[str, Any], name: str | None) -> str:
    if name is None:
        return "there is nothing to compare"
    if name == arms.BASELINE:
        return "no depth is faster than no speculation"
    each = found[name]
    ends = " [{:.2f}, {:.2f}]".format(*each["interval"]) if each["interval"] else ""
    return f"the best depth is {each['draft_n_max']}, speedup {each['speedup']:.2f}{ends}"


def _too_few(samples: list[Taken], rounds: int, wanted: int) -> str:
    causes = [proof.CAUSES[name] for name, count in sample.disturbances(samples).items() if count]
    measured = len({each.round for each in samples})
    text = f"only {rounds} of {measured} rounds were undisturbed, {wanted} were asked for"
    return f"{text}: {', '.join(causes)}; run it again when the host is idle"


def main(path: str) -> int:
    """Measure what the config names and write the record; 0 also where too little was clean."""
    config = read_json(path)
    known = {
        "kind": "bench", "generation": config["generation"], "min_speedup": config["min_speedup"],
        "started": time.time(), "context": context.look(config), "memory_mib": {},
    }  # fmt: skip
    record: dict[str, Any] = {"verdict": "fail", "reason": "it was not finished"}
    with Rounds(config) as bench:
        try:
            first = next(iter(config["arms"].values()))
            known["version"] = binary.version(first, config["build_number"])
            systemd.stop(config["live_unit"])
            known["memory_mib"], problem = look(config["fit"], config["fit_environment"])
            if problem:
                raise Stop(problem, NOT_PASSED)
            record = measure(config, bench)
        except Stop as stop:
            verdict = "undecided" if stop.code == UNDECIDED else "fail"
            record = {**record, "verdict": verdict, "reason": str(stop)}
            raise
        finally:
            record = {**record, **known, "residency": bench.residency, "finished": time.time()}
            write_json(config["record"], record)
            if bench.samples:
                measurements.append(config["measurements"], record)
    print(record["reason"], flush=True)
    return 0


def finish(path: str) -> int:
    """systemd's last words for this job, however it ended: serve what `current` names."""
    return prove.finish(path)
