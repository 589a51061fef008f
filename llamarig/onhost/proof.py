"""The record of a proof: what was measured, on what, and what follows from it."""

from __future__ import annotations

import glob
import math
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llamarig.measure import speedup
from llamarig.onhost import context, load, sample
from llamarig.onhost.files import read_json
from llamarig.onhost.sample import Taken

ARMS = ("baseline", "mtp")
WORDS = {"pass": "reaches", "fail": "is below", "undecided": "does not surely reach"}


@dataclass(frozen=True)
class Gate:
    """What a proof has to reach. rounds: undisturbed ones at least. equal: whether both arms have
    to give the same greedy answers."""

    speedup: float
    acceptance_length: float
    rounds: int
    equal: bool


def judge(
    samples: list[Taken], gate: Gate, answers_equal: bool | None = None, *, final: bool = True
) -> dict[str, Any]:
    """Everything that follows from the samples of both arms; verdict pass, fail or undecided.

    final: whether this is the last look; before it only what is very clear decides.
    """
    result = {**figures(samples), "min_speedup": gate.speedup, "answers_equal": answers_equal}
    found = result.pop("estimate")
    if found is None or found.rounds < gate.rounds:
        return {**result, "verdict": "undecided", "reason": _too_few(samples, found, gate.rounds)}
    return {**result, **concluded(result, found, gate, final=final)}


def concluded(
    result: dict[str, Any], found: speedup.Estimate, gate: Gate, *, final: bool
) -> dict[str, Any]:
    """Verdict and reason of a measurement with enough clean rounds."""
    verdict = speedup.verdict(found, gate.speedup, final)
    wrong = _wrong(result, gate)
    reason = f"speedup {found.speedup:.2f} [{found.low:.2f}, {found.high:.2f}] {WORDS[verdict]} "
    reason += f"{gate.speedup:.2f}"
    if wrong:
        return {"verdict": "fail", "reason": "; ".join([reason, *wrong])}
    return {"verdict": verdict, "reason": reason}


def figures(samples: list[Taken]) -> dict[str, Any]:
    """What is reported of both arms, from clean rounds alone; `estimate` is None without one."""
    quiet = sample.clean(samples)
    try:
        found: speedup.Estimate | None = speedup.estimate(plain(quiet))
    except ValueError:
        found = None
    mtp = [each for each in quiet if each.arm == "mtp"]
    prefill = {arm: _mean(quiet, arm, lambda each: each.prompt_tps) for arm in ARMS}
    slow, fast = prefill["baseline"], prefill["mtp"]
    return {
        "estimate": found,
        "speedup": found and found.speedup,
        "interval": found and ends(found),
        "confidence": speedup.CONFIDENCE,
        "baseline_tps": found and found.baseline_tps,
        "mtp_tps": found and found.mtp_tps,
        "ms_per_token": found
        and {"baseline": 1000 / found.baseline_tps, "mtp": 1000 / found.mtp_tps},
        "acceptance": sample.acceptance(mtp),
        "acceptance_length": sample.acceptance_length(mtp),
        "prefill_tps": prefill,
        "prefill_loss": 1 - fast / slow if slow and fast else None,
        "per_prompt": _per_prompt(quiet, found),
        "rounds": len({each.round for each in quiet}),
        "disturbed_rounds": len({each.round for each in samples if each.disturbed}),
        "disturbances": sample.disturbances(samples),
        "samples": [each.document() for each in samples],
    }


def ends(ratio: speedup.Ratio) -> list[float] | None:
    """Its interval; None where a single round has none. JSON knows no infinity."""
    return [ratio.low, ratio.high] if math.isfinite(ratio.high) else None


def plain(samples: list[Taken]) -> list[speedup.Sample]:
    """What the statistics need of samples."""
    return [speedup.Sample(each.arm, each.round, each.prompt, each.tps) for each in samples]


def _mean(samples: list[Taken], arm: str, value: Callable[[Taken], float]) -> float | None:
    found = [value(each) for each in samples if each.arm == arm]
    return statistics.fmean(found) if found else None


def _per_prompt(samples: list[Taken], found: speedup.Estimate | None) -> dict[str, Any]:
    by_prompt: dict[str, Any] = {}
    for prompt, ratio in (found.by_prompt if found else {}).items():
        own = [each for each in samples if each.prompt == prompt]
        mtp = [each for each in own if each.arm == "mtp"]
        by_prompt[prompt] = {
            "class": own[0].kind,
            "baseline_tps": _mean(own, "baseline", lambda each: each.tps),
            "mtp_tps": _mean(own, "mtp", lambda each: each.tps),
            "speedup": ratio.speedup,
            "interval": ends(ratio),
            "acceptance": sample.acceptance(mtp),
            "acceptance_length": sample.acceptance_length(mtp),
        }
    return by_prompt


def _too_few(samples: list[Taken], found: speedup.Estimate | None, wanted: int) -> str:
    """Why nothing can be said, with the causes of what was thrown away."""
    causes = sample.causes(samples)
    rounds = len({each.round for each in samples})
    clean = found.rounds if found else 0
    text = f"only {clean} of {rounds} rounds were undisturbed, {wanted} are needed"
    share = max((each.foreign for each in samples), default=0.0)
    if share > load.LIMIT:
        text += f" (others took up to {share:.0%})"
    return f"{text}: {', '.join(causes)}; run it again when the host is idle" if causes else text


def _wrong(result: dict[str, Any], gate: Gate) -> list[str]:
    """What fails a proof whatever its speed."""
    lines = []
    length = result["acceptance_length"]
    if length is not None and length < gate.acceptance_length:
        lines.append(
            f"a step yields {length:.2f} tokens, below min_acceptance_length "
            f"{gate.acceptance_length:.2f}"
        )
    if gate.equal and result["answers_equal"] is False:
        lines.append("with MTP the greedy answer is another one")
    return lines


def short_of(proof: dict[str, Any], speedup: float, acceptance_length: float) -> str | None:
    """What of a gate a proof that passed does not reach, in words; None where it reaches all. A
    gate may have been raised since."""
    interval, length = proof.get("interval"), proof.get("acceptance_length")
    if interval and interval[0] < speedup:
        return f"it was proven to {interval[0]:.2f}x, min_speedup is {speedup:.2f}"
    if length is not None and length < acceptance_length:
        return (
            f"a step yielded {length:.2f} tokens when it was proven, min_acceptance_length is "
            f"{acceptance_length:.2f}"
        )
    return None


def reusable(
    root: str, key: str, card: dict[str, Any] | None, speedup: float, acceptance_length: float
) -> dict[str, Any] | None:
    """The newest proof that passes this gate for the same inputs on the same card, of any
    generation."""
    found = []
    for path in glob.glob(os.path.join(root, "generations", "*", "proof.json")):
        try:
            proof = read_json(path)
            same = proof.get("proof_key") == key and proof.get("verdict") == "pass"
            if same and _on(proof, card) and not short_of(proof, speedup, acceptance_length):
                found.append((float(proof.get("finished", 0)), path, proof))
        except (OSError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            continue  # a hand or a power cut damaged it: it proves nothing, and stops nobody
    return max(found)[2] if found else None


def _on(proof: dict[str, Any], card: dict[str, Any] | None) -> bool:
    return context.same_card((proof.get("context") or {}).get("card"), card)
