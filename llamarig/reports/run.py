"""A measurement's record as its chart and its page need it, whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llamarig.reports import arms
from llamarig.reports.arms import MOST_ARMS, MOST_PROMPTS, Arm
from llamarig.reports.reading import items, mapping, named, number, text

TITLES = {
    "proof": "Proof", "smoke": "Proof", "live": "Live check", "check": "Check by timer",
    "bench": "Bench", "tune": "Sweep of draft depths",
}  # fmt: skip
VERDICTS = ("pass", "fail", "undecided")


@dataclass(frozen=True)
class Run:
    """arms: the baseline first; prompts: id to class, in the order they were asked; gate:
    min_speedup; when: epoch seconds; record: as it came."""

    kind: str
    verdict: str
    reason: str
    gate: float | None
    when: float | None
    arms: tuple[Arm, ...]
    prompts: dict[str, str]
    record: dict[str, Any]

    @property
    def title(self) -> str:
        return TITLES.get(self.kind, "Measurement")

    @property
    def baseline(self) -> Arm | None:
        return next((arm for arm in self.arms if arm.baseline), None)

    @property
    def best(self) -> Arm | None:
        """The arm with the largest speedup; of a proof its only one."""
        known = [arm for arm in self.arms if arm.overall.speedup is not None]
        return max(known, key=lambda arm: arm.overall.speedup or 0.0, default=None)


def read(record: dict[str, Any]) -> Run:
    """Any record of llamarig's; of another document a run without arms. Never raises."""
    finished = number(record.get("finished"))
    measured = number(mapping(record.get("context")).get("measured"))
    verdict = text(record.get("verdict"), 20)
    return Run(
        kind=text(record.get("kind"), 20),
        verdict=verdict if verdict in VERDICTS else "",
        reason=text(record.get("reason")),
        gate=number(record.get("min_speedup")),
        when=measured if finished is None else finished,
        arms=arms.read(record),
        prompts=_prompts(record),
        record=record,
    )


def _prompts(record: dict[str, Any]) -> dict[str, str]:
    """Ids of prompts that have figures, with their classes, in the order of the samples: JSON
    may have been sorted."""
    found: dict[str, str] = {}
    for source in (record, *named(record.get("arms"), MOST_ARMS).values()):
        for name, figures in named(source.get("per_prompt"), MOST_PROMPTS).items():
            found[name] = found.get(name) or text(figures.get("class"), 40)
    asked: dict[str, str] = {}
    for sample in map(mapping, items(record.get("samples"))):
        name = text(sample.get("prompt"), 80)
        if name in found:
            asked.setdefault(name, found[name] or text(sample.get("kind"), 40))
    return {**asked, **{name: kind for name, kind in found.items() if name not in asked}}
