"""What a bench is asked for, checked, and its way from the command line to the hosts' jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llamarig import suite, typed
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.values import SUITES

# What --suite may call llamarig's own besides their names.
ALIASES = {"article": "walkthrough"}
DEPTHS = (0, 2, 3)
DEEPEST = 16
ROUNDS, MOST_ROUNDS = 2, 40
LEAST_TOKENS, MOST_TOKENS = 32, 2048
OPTIONS = ("suite", "depths", "rounds", "tokens")
_KEY = "_bench_"


@dataclass(frozen=True)
class Wanted:
    """suite: a name or an absolute path on this machine; depths: draft depths, ascending, 0 (no
    speculation) the first; tokens: per answer, None for the setting proof_tokens."""

    suite: str = SUITES[0]
    depths: tuple[int, ...] = DEPTHS
    rounds: int = ROUNDS
    tokens: int | None = None

    def data(self) -> dict[str, str]:
        """As pyinfra's --data takes it."""
        found = {"suite": self.suite, "depths": json.dumps(self.depths), "rounds": str(self.rounds)}
        if self.tokens is not None:
            found["tokens"] = str(self.tokens)
        return {_KEY + name: value for name, value in found.items()}


def of(data: Mapping[str, Any]) -> Wanted:
    """What a host's data asks for; defaults where nothing does.

    Raises:
        UserError: it is wrong.
    """
    return checked(**typed.options(data, _KEY, OPTIONS))


def checked(
    *, suite: str | None, depths: str | None, rounds: str | None, tokens: str | None
) -> Wanted:
    """What the options ask for, each None where it was not given.

    Raises:
        UserError: a line for each that is wrong.
    """
    lines: list[str] = []

    def take(check: Any, *arguments: Any) -> Any:
        try:
            return check(*arguments)
        except UserError as error:
            lines.append(str(error))

    found = Wanted(
        suite=SUITES[0] if suite is None else take(_suite, suite),
        depths=DEPTHS if depths is None else take(_depths, depths),
        rounds=ROUNDS if rounds is None else take(_whole, "--rounds", rounds, 1, MOST_ROUNDS),
        tokens=None
        if tokens is None
        else take(_whole, "--tokens", tokens, LEAST_TOKENS, MOST_TOKENS),
    )
    if lines:
        raise UserError("\n".join(lines))
    return found


def _suite(name: str) -> str:
    known = ALIASES.get(name, name)
    if known not in SUITES:
        try:
            # A run of pyinfra has the site for its folder.
            known = str(Path(known).expanduser().absolute())
        except RuntimeError:
            raise UserError(f"--suite {plain(name)}: no such user's folder") from None
    try:
        suite.load(known)
    except UserError as error:
        raise UserError("\n".join(f"--suite: {line}" for line in str(error).split("\n"))) from None
    return known


def _depths(text: str) -> tuple[int, ...]:
    """Ascending; 0 is added where it is missing, since everything is measured against it."""
    words = [each.strip() for each in text.split(",")]
    numbers = [int(each) for each in words if re.fullmatch("[0-9]{1,2}", each)]
    wrong = len(numbers) != len(words) or len(set(numbers)) != len(numbers)
    if wrong or max(numbers) not in range(1, DEEPEST + 1):
        raise UserError(
            f"--depths {plain(text)[:80]}: allowed: depths from 0 to {DEEPEST}, each once, at "
            "least one above 0, such as 0,2,3"
        )
    return tuple(sorted({0, *numbers}))


def _whole(option: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch("[0-9]{1,6}", text) or not low <= int(text) <= high:
        shown = plain(text)[:80]
        raise UserError(f"{option} {shown}: allowed: a whole number from {low} to {high}")
    return int(text)
