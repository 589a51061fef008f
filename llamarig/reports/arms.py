"""The arms of a measurement with their figures, in one form for all kinds of records.

A proof has two arms, a bench or a sweep one per draft depth; a proof keeps the figures of both
beside each other, a bench has an object for each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from llamarig.reports.reading import mapping, named, number, pair, text

BASELINES = ("baseline", "n0")
MOST_ARMS, MOST_PROMPTS = 40, 60


@dataclass(frozen=True)
class Figures:
    """What was measured of one arm, over all prompts or on one. None: not known.

    tps, prefill_tps: tokens a second; speedup: over the baseline, interval: its 95 %; acceptance:
    share of drafted tokens; acceptance_length: tokens a step of the model; prefill_loss: share.
    """

    tps: float | None = None
    speedup: float | None = None
    interval: tuple[float, float] | None = None
    acceptance: float | None = None
    acceptance_length: float | None = None
    ms_per_token: float | None = None
    prefill_tps: float | None = None
    prefill_loss: float | None = None


@dataclass(frozen=True)
class Arm:
    """One way to serve; prompts: by prompt's id."""

    name: str
    label: str
    overall: Figures
    prompts: dict[str, Figures]

    @property
    def baseline(self) -> bool:
        return self.name in BASELINES


def read(record: dict[str, Any]) -> tuple[Arm, ...]:
    """Arms with anything measured, the baseline first, then by depth."""
    found = _depths(record) if mapping(record.get("arms")) else _two(record)
    arms = [arm for arm in found if any(one.tps for one in (arm.overall, *arm.prompts.values()))]
    return tuple(sorted(arms, key=lambda arm: (not arm.baseline, _in_order(arm.name))))


def _in_order(name: str) -> tuple[int, str]:
    """n2 before n10."""
    digits = re.match(r"n(\d{1,3})", name)
    return int(digits[1]) if digits else 0, name


def _two(record: dict[str, Any]) -> list[Arm]:
    """The arms of a proof or a check."""
    prompts = named(record.get("per_prompt"), MOST_PROMPTS)
    base = {name: Figures(tps=number(each.get("baseline_tps"))) for name, each in prompts.items()}
    mtp = {name: _mtp(each, tps=number(each.get("mtp_tps"))) for name, each in prompts.items()}
    return [
        Arm("baseline", "baseline", Figures(**_of(record, "baseline")), base),
        Arm(
            "mtp",
            "MTP",
            _mtp(record, prefill_loss=number(record.get("prefill_loss")), **_of(record, "mtp")),
            mtp,
        ),
    ]


def _of(record: dict[str, Any], arm: str) -> dict[str, Any]:
    """What a proof's record says of one arm over all prompts."""
    return {
        "tps": number(record.get(f"{arm}_tps")),
        "ms_per_token": number(mapping(record.get("ms_per_token")).get(arm)),
        "prefill_tps": number(mapping(record.get("prefill_tps")).get(arm)),
    }


def _depths(record: dict[str, Any]) -> list[Arm]:
    """The arms of a bench or a sweep."""
    found = named(record["arms"], MOST_ARMS)
    before = next((number(arm.get("prefill_tps")) for name, arm in found.items()
                   if name in BASELINES), None)  # fmt: skip
    return [_depth(name, arm, before) for name, arm in found.items()]


def _depth(name: str, arm: dict[str, Any], before: float | None) -> Arm:
    """before: the baseline's tokens a second of prefill."""
    base = name in BASELINES
    prefill = number(arm.get("prefill_tps"))
    loss = 1 - prefill / before if prefill is not None and before and not base else None
    prompts = named(arm.get("per_prompt"), MOST_PROMPTS)
    return Arm(
        name,
        _label(name, arm),
        _one(arm, base, prefill_tps=prefill, prefill_loss=loss),
        {prompt: _one(each, base) for prompt, each in prompts.items()},
    )


def _one(source: dict[str, Any], base: bool, **more: Any) -> Figures:
    """base: the baseline, whose speedup over itself says nothing."""
    tps = number(source.get("tps"))
    # A token's time at this speed; only a proof's record has the mean that was measured.
    pace = 1000 / tps if tps else None
    if base:
        return Figures(tps=tps, ms_per_token=pace, **more)
    return _mtp(source, tps=tps, ms_per_token=pace, **more)


def _mtp(source: dict[str, Any], **more: Any) -> Figures:
    return Figures(
        speedup=number(source.get("speedup")),
        interval=pair(source.get("interval")),
        acceptance=number(source.get("acceptance")),
        acceptance_length=number(source.get("acceptance_length")),
        **more,
    )


def _label(name: str, arm: dict[str, Any]) -> str:
    """`baseline`, `MTP n=2`, `MTP n=2, p-min 0.5`."""
    if name in BASELINES:
        return "baseline"
    depth, least = number(arm.get("draft_n_max")), number(arm.get("draft_p_min"))
    label = text(name, 24) if depth is None else f"MTP n={depth:g}"
    return label if least is None else f"{label}, p-min {least:g}"
