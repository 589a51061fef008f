"""Hosts that differ from their like: median and MAD, after Iglewicz and Hoaglin.

B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers (ASQC, 1993): the modified z-score
0.6745 (x - median) / MAD, an outlier beyond 3.5 in size; 0.6745 makes the MAD a standard deviation
where values are normal. MAD is the median of the distances from the median.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

FACTOR, LIMIT = 0.6745, 3.5
# Of fewer values nothing is typical.
FEWEST = 4
# The MAD counts as this share of the median at least: where hosts are nearly alike, a hair's
# breadth would be an outlier. A value has to be off by 2.6 % or more.
LEAST_SPREAD = 0.005


@dataclass(frozen=True)
class Outlier:
    """z: the modified z-score, negative below the median."""

    name: str
    value: float
    median: float
    z: float


def find(values: Mapping[str, float]) -> list[Outlier]:
    """The outliers of values by name, the farthest first; none of fewer than FEWEST values."""
    if len(values) < FEWEST:
        return []
    median = statistics.median(values.values())
    mad = statistics.median(abs(value - median) for value in values.values())
    spread = max(mad, LEAST_SPREAD * abs(median))
    if spread == 0:
        return []
    found = [
        Outlier(name, value, median, FACTOR * (value - median) / spread)
        for name, value in values.items()
    ]
    far = [each for each in found if abs(each.z) > LIMIT]
    return sorted(far, key=lambda each: -abs(each.z))
