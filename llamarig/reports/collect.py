"""Measurements of all hosts over time, out of a run's report: what a page and a terminal show."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from llamarig.reports import context, outliers, run
from llamarig.reports.arms import Figures
from llamarig.reports.outliers import Outlier
from llamarig.reports.reading import items, mapping, number, text

# Epoch seconds: the year 2100.
LATEST = 4102444800
# Kinds that measure the recipe itself, so that hosts of one recipe are comparable by them.
COMPARABLE = ("proof", "smoke", "live", "check")


@dataclass(frozen=True)
class Point:
    """One measurement. when: epoch seconds; tps, speedup: of the fastest arm; like: what has to be
    the same for two hosts to be compared, empty where that is not known."""

    kind: str
    when: float
    verdict: str
    gate: float | None
    tps: float | None
    baseline_tps: float | None
    speedup: float | None
    interval: tuple[float, float] | None
    acceptance: float | None
    acceptance_length: float | None
    device: str
    release: str
    like: str


@dataclass(frozen=True)
class Host:
    """points: oldest first; broken: lines of its log that could not be read; problem: why nothing
    is known of it."""

    name: str
    points: tuple[Point, ...]
    broken: int
    problem: str

    @property
    def newest(self) -> Point | None:
        return self.points[-1] if self.points else None


@dataclass(frozen=True)
class Odd:
    """A host that differs from its like; what: the figure; hosts: how many were compared."""

    host: str
    what: str
    found: Outlier
    device: str
    hosts: int


def hosts(report: dict[str, dict[str, Any]]) -> list[Host]:
    """All hosts of a run's report, by name; measurements that say no time or speed are broken."""
    return [_host(name, entry) for name, entry in sorted(report.items())]


def _host(name: str, entry: dict[str, Any]) -> Host:
    records = items(entry.get("measurements"))
    points = [point for point in map(_point, map(mapping, records)) if point is not None]
    broken = int(number(entry.get("measurements_broken")) or 0) + len(records) - len(points)
    problems = [text(each) for each in items(entry.get("problems"))]
    unknown = "" if "measurements" in entry else "; ".join(problems) or "not reached"
    return Host(name, tuple(sorted(points, key=lambda each: each.when)), broken, unknown)


def _point(record: dict[str, Any]) -> Point | None:
    found = run.read(record)
    best = found.best or next((arm for arm in found.arms if not arm.baseline), None)
    # A host's clock may be wrong, a line may be forged: what no calendar has can't be drawn.
    if found.when is None or not 0 <= found.when < LATEST:
        return None
    fast = best.overall if best else Figures()
    return Point(
        kind=found.kind,
        when=found.when,
        verdict=found.verdict,
        gate=found.gate,
        tps=fast.tps,
        baseline_tps=found.baseline.overall.tps if found.baseline else None,
        speedup=fast.speedup,
        interval=fast.interval,
        acceptance=fast.acceptance,
        acceptance_length=fast.acceptance_length,
        device=context.device(record),
        release=text(mapping(record.get("context")).get("release"), 80),
        like=_like(record) if found.kind in COMPARABLE else "",
    )


def _like(record: dict[str, Any]) -> str:
    """A digest of card (or processor), recipe, release, model and prompts; empty without them."""
    found = mapping(record.get("context"))
    keys = ("release", "model_sha256", "recipe", "prompts_digest")
    parts = [context.device(record), *(found.get(key) for key in keys)]
    if not all(parts[:4]):
        return ""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def odd(found: list[Host]) -> list[Odd]:
    """Hosts whose newest comparable figures are outliers among their like."""
    alike: dict[str, dict[str, Point]] = defaultdict(dict)
    for host in found:
        points = [point for point in host.points if point.like and point.tps is not None]
        if points:
            alike[points[-1].like][host.name] = points[-1]
    return [each for points in alike.values() for each in _odd(points)]


def _odd(points: dict[str, Point]) -> list[Odd]:
    figures = {
        "tokens/s with MTP": {name: point.tps for name, point in points.items()},
        "tokens/s without": {name: point.baseline_tps for name, point in points.items()},
        "speedup": {name: point.speedup for name, point in points.items()},
    }
    return [
        Odd(each.name, what, each, points[each.name].device, len(known))
        for what, values in figures.items()
        for known in [{name: value for name, value in values.items() if value is not None}]
        for each in outliers.find(known)
    ]
