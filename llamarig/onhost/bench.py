"""The bench: what serves on this host, measured without speculation and at several draft depths."""

from __future__ import annotations

from typing import Any

from llamarig.measure import speedup
from llamarig.onhost import apart, arms, sample
from llamarig.onhost.files import read_json
from llamarig.onhost.rounds import Rounds
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
    measured = len({each.round for each in samples})
    text = f"only {rounds} of {measured} rounds were undisturbed, {wanted} were asked for"
    return f"{text}: {', '.join(sample.causes(samples))}; run it again when the host is idle"


def main(path: str) -> int:
    """Measure what the config names and write the record; 0 also where too little was clean."""
    config = read_json(path)
    apart.record(config, "bench", measure, min_speedup=config["min_speedup"])
    return 0
