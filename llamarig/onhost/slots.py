"""llama-server's slots: who is served, and whether anybody was beside us.

/slots tells without a trace (read in b11434's sources). Asking /metrics would begin its averages
anew (`predicted_tokens_seconds`) for whoever else reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Slot:
    """task: the request that it works on or had last, None for none yet; tokens: what it holds of
    that, prompt and answer."""

    number: int
    task: int | None
    busy: bool
    tokens: int


def parse(document: Any) -> list[Slot]:
    """The answer to /slots.

    Raises:
        ValueError: it is no such answer.
    """
    try:
        return [
            Slot(
                int(each["id"]), each.get("id_task"), bool(each["is_processing"]),
                int(each.get("n_prompt_tokens") or 0),
            )
            for each in document
        ]  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no list of slots ({type(error).__name__})") from None


def busy(found: Iterable[Slot]) -> bool:
    return any(each.busy for each in found)


def tasks(found: Iterable[Slot]) -> dict[int, int | None]:
    """Slot to its request; where it has changed, another one came."""
    return {each.number: each.task for each in found}


def of_others(before: list[Slot], after: list[Slot], own: int) -> int:
    """Tokens of requests that were worked on beside ours of `own` tokens, by the slots just before
    it and just after it; 0 for none.

    A server of one slot works on one request at a time: others wait, and disturb nothing. Of
    several slots one was ours, so a second one that changed was somebody else's.
    """
    was = tasks(before)
    changed = [each for each in after if each.busy or each.task != was.get(each.number)]
    if len(after) < 2 or len(changed) < 2:
        return 0
    return max(1, sum(each.tokens for each in changed) - own)
