"""The search for the best draft depth, coarse to fine, never beyond its budget. Pure.

coarse: every other depth; neighbours: those beside the best; p-min: other values at the best depth;
final: more rounds of the best two or three and the baseline. Only the final decides: what came
before has one round each. A step's figures are compared within the step alone, to the one that was
best before, since a machine's speed wanders from minute to minute.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llamarig.measure import speedup
from llamarig.measure.finalists import choose, judged, shortlist
from llamarig.measure.grid import BASELINE, FINAL_ROUNDS, LEAST_ROUNDS, Candidate, Grid
from llamarig.measure.speedup import Estimate, Sample

# A step of one round is tried as often until it has one that nobody disturbed.
ATTEMPTS = 3

# (round's number, arms, tokens of an answer) -> the samples of the arms that could be asked;
# nothing of a round that was disturbed.
Measure = Callable[[int, Sequence[str], int], "list[Sample]"]


@dataclass(frozen=True)
class Outcome:
    """verdict: pass (the best is worth it), fail (MTP does not pay) or undecided. spent: tokens at
    most. estimates: of the finalists, against the baseline, from the final's undisturbed rounds
    alone; scores: of all, without an interval; steps: name, arms, undisturbed rounds and tokens."""

    verdict: str
    reason: str
    spent: int
    best: Candidate | None = None
    rounds: list[int] = field(default_factory=list)
    estimates: dict[str, Estimate] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)


class Search:
    """One search over a grid; `run` is its whole life."""

    def __init__(self, grid: Grid, measure: Measure) -> None:
        self.grid, self._measure = grid, measure
        self.spent = 0
        self.scores: dict[Candidate, float] = {}
        self.steps: list[dict[str, Any]] = []
        self._number = 0

    def run(self) -> Outcome:
        """All steps.

        Raises:
            whatever the measuring raises.
        """
        coarse = self.grid.coarse()
        means = self._once("coarse", [BASELINE, *(each.name for each in coarse)])
        if BASELINE not in means or len(means) == 1:
            return self._undecided("no round of the coarse step was undisturbed")
        self.scores = {
            each: means[each.name] / means[BASELINE] for each in coarse if each.name in means
        }
        best = self._best()
        beside = [each for each in self.grid.neighbours(best.depth) if each not in coarse]
        self._refine("neighbours", best, beside)
        best = self._best()
        self._refine("p-min", best, self.grid.variants(best.depth))
        return self._final()

    def _best(self) -> Candidate:
        return max(self.scores, key=lambda each: self.scores[each])

    def _round(self, arms: Sequence[str], tokens: int, *, loaded: bool = False) -> list[Sample]:
        self._number += 1
        self.spent += self.grid.cost(len(arms), 1, tokens, loaded=loaded)
        return self._measure(self._number, arms, tokens)

    def _once(self, name: str, arms: list[str]) -> dict[str, float]:
        """Mean tokens a second of each arm in one undisturbed round; nothing without one."""
        tokens = self.grid.short
        before = self.spent
        found: list[Sample] = []
        for _ in range(ATTEMPTS):
            cost = self.grid.cost(len(arms), 1, tokens)
            if found or self.spent + cost + self.grid.reserve > self.grid.budget:
                break
            found = self._round(arms, tokens)
        self._note(name, arms, int(bool(found)), before)
        by_arm = {each: [one.tps for one in found if one.arm == each] for each in arms}
        return {each: statistics.fmean(tps) for each, tps in by_arm.items() if tps}

    def _refine(self, name: str, best: Candidate, others: list[Candidate]) -> None:
        """Compare others with the best so far, if there are others and the budget allows."""
        means = self._once(name, [each.name for each in (best, *others)]) if others else {}
        for each in others:
            if best.name in means and each.name in means:
                self.scores[each] = self.scores[best] * means[each.name] / means[best.name]

    def _note(self, name: str, arms: Sequence[str], rounds: int, before: int) -> None:
        spent = self.spent - before
        self.steps.append({"name": name, "arms": list(arms), "rounds": rounds, "tokens": spent})

    def _final(self) -> Outcome:
        before, clean, tried = self.spent, 0, 0
        samples: list[Sample] = []
        listed = shortlist(self.scores, self.grid.p_mins[0])
        size, _ = self.grid.final(self.spent, len(listed))
        arms = [BASELINE, *(each.name for each in listed[: size - 1])]
        tokens = self.grid.tokens
        while clean < FINAL_ROUNDS:
            cost = self.grid.cost(len(arms), 2, tokens, loaded=tried > 0)
            if self.spent + cost > self.grid.budget:
                break
            for _ in range(2):
                found = self._round(arms, tokens, loaded=tried > 0)
                samples, clean, tried = samples + found, clean + bool(found), tried + 1
        self._note("final", arms, clean, before)
        if clean < LEAST_ROUNDS:
            return self._undecided(f"only {clean} of the final's {tried} rounds were undisturbed")
        # One that failed on the way is no finalist.
        whole = [each for each in listed if _rounds(samples, each.name) == clean]
        if not whole or _rounds(samples, BASELINE) < clean:
            return self._undecided("no candidate was measured in all rounds of the final")
        return self._decide(samples, whole)

    def _decide(self, samples: list[Sample], finalists: list[Candidate]) -> Outcome:
        usual = self.grid.p_mins[0]
        best = choose(samples, finalists, usual)
        found = {each.name: speedup.estimate(samples, each.name, BASELINE) for each in finalists}
        verdict, reason = judged(best, found[best.name], usual)
        rounds = sorted({each.round for each in samples})
        return self._outcome(verdict, reason, best=best, rounds=rounds, estimates=found)

    def _undecided(self, why: str) -> Outcome:
        line = f"{why}; run it again when the host is idle, or with more --budget-tokens"
        return self._outcome("undecided", line)

    def _outcome(self, verdict: str, reason: str, **found: Any) -> Outcome:
        scores = {each.name: score for each, score in self.scores.items()}
        return Outcome(verdict, reason, self.spent, scores=scores, steps=self.steps, **found)


def _rounds(samples: Sequence[Sample], arm: str) -> int:
    return len({each.round for each in samples if each.arm == arm})
