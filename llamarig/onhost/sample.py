"""One answer as taken: its figures, and who disturbed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from llamarig.onhost import load

CAUSES = {
    "cpu": f"other programs took more than {load.LIMIT:.0%} of the processors",
    "throttling": "the card held its clocks back for heat or a fault",
    "clients": "other clients were served meanwhile",
}


@dataclass(frozen=True)
class Taken:
    """tps, prompt_tps: tokens a second of decoding and of prefill, the server's own timings.
    foreign: share of the processors that others used; pressure: share of the time in which
    something waited for one (load.py). throttled: why the card held its
    clocks back for heat or a fault (watch.py). others: tokens the server made for other clients
    meanwhile. digest: of the answer's text, 16 hexadecimal digits."""

    arm: str
    round: int
    prompt: str
    kind: str
    tps: float
    predicted_n: int
    draft_n: int = 0
    draft_n_accepted: int = 0
    prompt_n: int = 0
    prompt_tps: float = 0.0
    foreign: float = 0.0
    pressure: float | None = None
    throttled: list[str] = field(default_factory=list)
    others: int = 0
    digest: str = ""

    @property
    def disturbed(self) -> list[str]:
        """What makes the figure worthless; nothing for a clean one."""
        found = (self.foreign > load.LIMIT, bool(self.throttled), self.others > 0)
        return [cause for cause, there in zip(CAUSES, found, strict=True) if there]

    def document(self) -> dict[str, Any]:
        """As a record keeps it."""
        return {**asdict(self), "disturbed": self.disturbed}


def clean(samples: Iterable[Taken]) -> list[Taken]:
    """The samples of rounds in which nobody disturbed; only these decide."""
    samples = list(samples)
    loud = {each.round for each in samples if each.disturbed}
    return [each for each in samples if each.round not in loud]


def out_of_reach(samples: Iterable[Taken], left: int, wanted: int) -> bool:
    """Whether `left` more rounds can't make `wanted` clean ones any more: a host is busy, and to
    measure on would only take its time."""
    return len({each.round for each in clean(samples)}) + left < wanted


def disturbances(samples: Iterable[Taken]) -> dict[str, int]:
    """Rounds disturbed, by cause."""
    rounds: dict[str, set[int]] = {cause: set() for cause in CAUSES}
    for each in samples:
        for cause in each.disturbed:
            rounds[cause].add(each.round)
    return {cause: len(found) for cause, found in rounds.items()}


def causes(samples: Iterable[Taken]) -> list[str]:
    """What disturbed, in words."""
    return [CAUSES[name] for name, rounds in disturbances(samples).items() if rounds]


def acceptance(samples: Iterable[Taken]) -> float | None:
    """Accepted over drafted tokens; None where nothing was drafted."""
    samples = list(samples)
    drafted = sum(each.draft_n for each in samples)
    return sum(each.draft_n_accepted for each in samples) / drafted if drafted else None


def acceptance_length(samples: Iterable[Taken]) -> float | None:
    """Tokens that a step of the model yields on average: its own and the accepted drafts; None
    without samples. Each predicted token that was no accepted draft took a step of its own."""
    samples = list(samples)
    predicted = sum(each.predicted_n for each in samples)
    steps = predicted - sum(each.draft_n_accepted for each in samples)
    return predicted / steps if steps > 0 else None
