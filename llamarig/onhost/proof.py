"""The record of a proof: what was measured, on what, and what follows from it."""

from __future__ import annotations

import glob
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

from llamarig.measure import speedup
from llamarig.onhost import load
from llamarig.onhost.files import read_json


@dataclass(frozen=True)
class Taken:
    """One sample as taken; run: which of the block's four (0 to 3); foreign: see load.py."""

    arm: str
    block: int
    run: int
    prompt: str
    kind: str
    tps: float
    predicted_n: int
    draft_n: int
    draft_n_accepted: int
    foreign: float

    @property
    def disturbed(self) -> bool:
        return self.foreign > load.LIMIT


def quiet_blocks(samples: list[Taken]) -> list[Taken]:
    """The samples of blocks in which nobody disturbed; only these decide."""
    loud = {each.block for each in samples if each.disturbed}
    return [each for each in samples if each.block not in loud]


def acceptance(samples: list[Taken]) -> float | None:
    """Accepted over drafted tokens of the MTP arm; None where nothing was drafted."""
    drafted = sum(each.draft_n for each in samples if each.arm == "mtp")
    accepted = sum(each.draft_n_accepted for each in samples if each.arm == "mtp")
    return accepted / drafted if drafted else None


def _median(samples: list[Taken], arm: str) -> float | None:
    found = [each.tps for each in samples if each.arm == arm]
    return statistics.median(found) if found else None


def judge(samples: list[Taken], minimum: float) -> dict[str, Any]:
    """Everything that follows from the samples; verdict pass, fail or inconclusive."""
    quiet = quiet_blocks(samples)
    result: dict[str, Any] = {
        "min_speedup": minimum,
        "samples": [{**asdict(each), "disturbed": each.disturbed} for each in samples],
        "blocks": len({each.block for each in samples}),
        "disturbed_blocks": len({each.block for each in samples if each.disturbed}),
        "baseline_tps": _median(quiet, "baseline"),
        "mtp_tps": _median(quiet, "mtp"),
        "acceptance": acceptance(quiet),
        "speedup": None,
        "interval": None,
        "per_prompt": {},
    }
    try:
        found = speedup.estimate(
            [
                speedup.Sample(each.arm, each.block, each.run, each.prompt, each.tps)
                for each in quiet
            ]
        )
    except ValueError:
        share = max((each.foreign for each in samples), default=0.0)
        reason = (
            f"every round was disturbed by other programs (up to {share:.0%} of the processors, "
            f"{load.LIMIT:.0%} allowed); run it again when the host is idle"
        )
        return {**result, "verdict": "inconclusive", "reason": reason}
    verdict = speedup.verdict(found, minimum)
    return {
        **result,
        "speedup": found.speedup,
        "interval": [found.low, found.high],
        "confidence": speedup.CONFIDENCE,
        "per_prompt": found.by_prompt,
        "verdict": verdict,
        "reason": _reason(found, minimum, verdict),
    }


def _reason(found: speedup.Estimate, minimum: float, verdict: str) -> str:
    text = f"speedup {found.speedup:.2f} [{found.low:.2f}, {found.high:.2f}]"
    words = {"pass": "reaches", "fail": "is below", "inconclusive": "does not surely reach"}
    return f"{text} {words[verdict]} {minimum:.2f}"


def host_facts() -> dict[str, Any]:
    """What a figure needs to be read: processor, cores, kernel, frequency governor."""
    model = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            model = next(
                (line.split(":", 1)[1].strip() for line in file if line.startswith("model name")),
                "",
            )
    except OSError:
        model = ""
    governor = ""
    try:
        with open(
            "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", encoding="ascii"
        ) as file:
            governor = file.read().strip()
    except OSError:
        governor = ""
    return {
        "cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "governor": governor,
        "measured": time.time(),
    }  # fmt: skip


def reusable(root: str, key: str) -> dict[str, Any] | None:
    """The newest proof that passed for the same inputs, of any generation."""
    found = []
    for path in glob.glob(os.path.join(root, "generations", "*", "proof.json")):
        try:
            proof = read_json(path)
        except (OSError, ValueError):
            continue
        if proof.get("proof_key") == key and proof.get("verdict") == "pass":
            found.append(proof)
    return max(found, key=lambda each: float(each.get("finished", 0)), default=None)
