"""Who of a tuning's candidates goes on, and who wins. Pure."""

from __future__ import annotations

import statistics

from llamarig.measure import speedup
from llamarig.measure.grid import Candidate
from llamarig.measure.speedup import Estimate, Sample

# One short round can't tell less than this apart: a smaller depth this near goes on as well.
NEAR = 0.95


def shortlist(scores: dict[Candidate, float], usual: float) -> list[Candidate]:
    """Who goes to the final, best reasons first: the best depth; another p-min there that was
    faster; the smallest depth that is near; then whoever scored best."""
    ranked = sorted(scores, key=lambda each: -scores[each])
    best = next(each for each in ranked if each.p_min == usual)
    near = [each for each in ranked if each.p_min == usual and scores[each] >= NEAR * scores[best]]
    listed = [best, *(each for each in ranked[:1] if each != best), min(near), *ranked]
    return list(dict.fromkeys(listed))


def choose(samples: list[Sample], finalists: list[Candidate], usual: float) -> Candidate:
    """The fastest; of those that it does not surely beat, the smallest depth (whose drafts take
    less memory), and another p-min than the usual only where no other is left."""
    speeds = {
        each: statistics.fmean(one.tps for one in samples if one.arm == each.name)
        for each in finalists
    }
    fastest = max(finalists, key=lambda each: speeds[each])
    equal = [
        each
        for each in finalists
        if each == fastest or speedup.estimate(samples, fastest.name, each.name).low <= 1
    ]
    return min(equal, key=lambda each: (each.p_min != usual, each.depth, each.p_min))


def judged(best: Candidate, found: Estimate, usual: float) -> tuple[str, str]:
    """The verdict on the best, pass or fail, and one line of it in the settings' words. found: its
    speedup over no MTP."""
    p_min = f", draft_p_min {best.p_min:g}" if best.p_min != usual else ""
    line = (
        f"draft_n_max {best.depth}{p_min} is {found.speedup:.2f} [{found.low:.2f}, "
        f"{found.high:.2f}] times as fast as no MTP"
    )
    return ("pass", line) if found.low > 1 else ("fail", f"MTP does not pay here: {line}")
