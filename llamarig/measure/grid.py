"""What a tuning may try, and what that costs in tokens: the arithmetic behind its budget.

A round asks every arm all prompts once. A load is followed by a warm-up, which is counted too; the
server that a round ends with is the one that the next begins with, so that is one load less.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

BASELINE = "n0"
# Of the final, unless a proof's are shorter. Before it they are half as long, since they only
# choose who goes on; even shorter ones hide the gain.
LONGEST_ANSWER, SHORTEST_ANSWER = 128, 32
FINALISTS = 3
FINAL_ROUNDS = 6
# Fewer undisturbed ones decide nothing.
LEAST_ROUNDS = 4


@dataclass(frozen=True, order=True)
class Candidate:
    """One way to draft: depth (--spec-draft-n-max) and p_min (--spec-draft-p-min)."""

    depth: int
    p_min: float

    @property
    def name(self) -> str:
        """As an arm, and part of a unit's name."""
        return f"n{self.depth}" + (f"-p{self.p_min:g}" if self.p_min else "")


@dataclass(frozen=True)
class Step:
    """arms: as many, the baseline among them or not; tokens: of an answer; cost: tokens of all."""

    name: str
    arms: int
    rounds: int
    tokens: int
    cost: int
    baseline: bool


@dataclass(frozen=True)
class Grid:
    """depths: without 0, ascending; p_mins: the first is what depths are compared at. prompts: how
    many; tokens: of an answer in the final; budget: tokens that all of it may take."""

    depths: tuple[int, ...]
    p_mins: tuple[float, ...]
    prompts: int
    tokens: int
    warmup_tokens: int
    budget: int

    def candidates(self) -> list[Candidate]:
        """All that may be tried."""
        return [Candidate(depth, p_min) for depth in self.depths for p_min in self.p_mins]

    def at(self, depths: Iterable[int]) -> list[Candidate]:
        return [Candidate(depth, self.p_mins[0]) for depth in depths]

    def coarse(self) -> list[Candidate]:
        """Every other depth, from the smallest."""
        return self.at(self.depths[::2])

    def neighbours(self, depth: int) -> list[Candidate]:
        """The depths of the grid beside this one."""
        place = self.depths.index(depth)
        around = self.depths[max(0, place - 1) : place + 2]
        return self.at(each for each in around if each != depth)

    def variants(self, depth: int) -> list[Candidate]:
        """The other p-min values at this depth."""
        return [Candidate(depth, p_min) for p_min in self.p_mins[1:]]

    @property
    def short(self) -> int:
        """Tokens of an answer before the final."""
        return min(self.tokens, max(SHORTEST_ANSWER, self.tokens // 2))

    @staticmethod
    def loads(arms: int, rounds: int) -> int:
        """How often a model is loaded in some rounds in a row."""
        return arms + (rounds - 1) * (arms - 1)

    def cost(self, arms: int, rounds: int, tokens: int, *, loaded: bool = False) -> int:
        """Tokens at most of some rounds in a row. loaded: the first server is there already."""
        loads = self.loads(arms, rounds) - (1 if loaded else 0)
        return arms * rounds * self.prompts * tokens + loads * self.warmup_tokens

    @property
    def reserve(self) -> int:
        """What is kept for the smallest final: the baseline and two, or the only one."""
        arms = 1 + min(2, len(self.candidates()))
        return self.cost(arms, LEAST_ROUNDS, self.tokens)

    @property
    def least(self) -> int:
        """The smallest budget that can end well."""
        return self.cost(1 + len(self.coarse()), 1, self.short) + self.reserve

    def _before(self) -> list[Step]:
        """The steps before the final, each at its largest."""
        coarse = self.coarse()
        beside = [
            sum(each not in coarse for each in self.neighbours(depth)) for depth in self.depths
        ]
        sizes = [("coarse", 1 + len(coarse), True)]
        sizes += [("neighbours", 1 + max(beside), False)] if max(beside) else []
        sizes += [("p-min", len(self.p_mins), False)] if self.p_mins[1:] else []
        return [
            Step(name, arms, 1, self.short, self.cost(arms, 1, self.short), baseline)
            for name, arms, baseline in sizes
        ]

    @property
    def whole(self) -> int:
        """What all steps take once; no round is then to spare for a disturbed one."""
        arms = 1 + min(FINALISTS, len(self.candidates()))
        before = sum(each.cost for each in self._before())
        return before + self.cost(arms, FINAL_ROUNDS, self.tokens)

    def steps(self) -> list[Step]:
        """The steps as the budget allows them if nobody disturbs, each at its largest."""
        found: list[Step] = []
        spent = 0
        for each in self._before():
            if spent + each.cost + self.reserve <= self.budget:
                found.append(each)
                spent += each.cost
        arms, rounds = self.final(spent, len(self.candidates()))
        cost = self.cost(arms, rounds, self.tokens)
        return [*found, Step("final", arms, rounds, self.tokens, cost, True)]

    def final(self, spent: int, candidates: int) -> tuple[int, int]:
        """Arms (the baseline is one) and rounds of the final that the rest of the budget allows:
        rather more arms than rounds, but never fewer than LEAST_ROUNDS of these. Two rounds, there
        and back, go together."""
        for finalists in range(min(FINALISTS, candidates), 0, -1):
            for rounds in range(FINAL_ROUNDS, LEAST_ROUNDS - 1, -2):
                if spent + self.cost(1 + finalists, rounds, self.tokens) <= self.budget:
                    return 1 + finalists, rounds
        return 1 + min(2, candidates), LEAST_ROUNDS
