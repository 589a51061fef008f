"""What a tuning is asked for, checked, and its way from the command line to the hosts' jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llamarig import typed
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.measure.grid import LONGEST_ANSWER, Grid

DEEPEST = 16
DEPTHS, P_MINS = "0-6", "0,0.5,0.75"
MOST_P_MINS = 8
MOST_TOKENS = 1_000_000
OPTIONS = ("depths", "p_min", "budget_tokens")
_KEY = "_tune_"


@dataclass(frozen=True)
class Wanted:
    """depths: ascending, without 0, which is always measured; p_mins: ascending; budget: tokens,
    None for what all steps take once."""

    depths: tuple[int, ...]
    p_mins: tuple[float, ...]
    budget: int | None = None

    def data(self) -> dict[str, str]:
        """As pyinfra's --data takes it."""
        found = {
            "depths": ",".join(map(str, self.depths)),
            "p_min": ",".join(f"{each:g}" for each in self.p_mins),
        }
        if self.budget is not None:
            found["budget_tokens"] = str(self.budget)
        return {_KEY + name: value for name, value in found.items()}

    def grid(self, *, prompts: int, tokens: int, warmup_tokens: int) -> Grid:
        """What it comes to for a suite of so many prompts. tokens: of a proof's answers."""
        answer = min(tokens, LONGEST_ANSWER)
        over = Grid(self.depths, self.p_mins, prompts, answer, warmup_tokens, self.budget or 0)
        return over if self.budget else replace(over, budget=over.whole)


def of(data: Mapping[str, Any]) -> Wanted:
    """What a host's data asks for; defaults where nothing does.

    Raises:
        UserError: it is wrong.
    """
    return checked(**typed.options(data, _KEY, OPTIONS))


def checked(*, depths: str | None, p_min: str | None, budget_tokens: str | None) -> Wanted:
    """What the options ask for, each None where it was not given.

    Raises:
        UserError: a line for each that is wrong.
    """
    found = _depths(DEPTHS if depths is None else depths)
    p_mins = _p_mins(P_MINS if p_min is None else p_min)
    budget = _budget(budget_tokens)
    lines = [each for each in (found, p_mins, budget) if isinstance(each, str)]
    if isinstance(found, str) or isinstance(p_mins, str) or isinstance(budget, str):
        raise UserError("\n".join(lines))
    return Wanted(found, p_mins, budget)


def _depths(text: str) -> tuple[int, ...] | str:
    """Depths such as 0-6 or 0,2,3; or what is wrong with them."""
    depths: list[int] = []
    for word in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,2})(?:-(\d{1,2}))?\s*", word)
        depths += range(int(ends[1]), int(ends[2] or ends[1]) + 1) if ends else [-1]
        depths += [] if not ends or int(ends[1]) <= int(ends[2] or ends[1]) else [-1]
    if min(depths) < 0 or max(depths) not in range(1, DEEPEST + 1):
        return (
            f"--depths {plain(text)[:80]}: allowed: depths from 0 to {DEEPEST}, at least one above "
            "0, such as 0-6 or 0,2,3"
        )
    return tuple(sorted({*depths} - {0}))


def _p_mins(text: str) -> tuple[float, ...] | str:
    words = [each.strip() for each in text.split(",")]
    fits = all(re.fullmatch(r"0|1|0?\.\d{1,3}|[01]\.\d{1,3}", each) for each in words)
    values = sorted({float(each) for each in words}) if fits else [2.0]
    if values[-1] > 1 or len(values) > MOST_P_MINS:
        return (
            f"--p-min {plain(text)[:80]}: allowed: at most {MOST_P_MINS} numbers from 0 to 1 with "
            "three digits, such as 0,0.5,0.75"
        )
    return tuple(values)


def _budget(text: str | None) -> int | str | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,7}", text) or not 1 <= int(text) <= MOST_TOKENS:
        shown = plain(text)[:80]
        return f"--budget-tokens {shown}: allowed: a whole number from 1 to {MOST_TOKENS}"
    return int(text)


def too_little(grid: Grid) -> str | None:
    """Why the budget can't end well, in one line."""
    if grid.budget >= grid.least:
        return None
    return (
        f"--budget-tokens {grid.budget}: allowed: at least {grid.least}, for {grid.prompts} "
        f"prompt(s), answers of {grid.tokens} tokens and these depths"
    )
