"""The colours of charts and pages, light and dark.

Bars take Okabe and Ito's set (2008), made to be told apart with any kind of colour blindness;
the dark variant is lightened. Text reaches a contrast of 4.5 on its ground (WCAG 2.1 AA).
"""

from __future__ import annotations

SERIES = 6

LIGHT = {
    "page": "#f6f7f9", "surface": "#ffffff", "ink": "#16191d", "muted": "#59616b",
    "line": "#dfe3e8", "gate": "#a3124f", "good": "#0b6b45", "bad": "#a61b1b", "unsure": "#855300",
    "baseline": "#8d97a3", "series1": "#0072b2", "series2": "#e69f00", "series3": "#009e73",
    "series4": "#cc79a7", "series5": "#56b4e9", "series6": "#d55e00",
}  # fmt: skip
DARK = {
    "page": "#101318", "surface": "#181c22", "ink": "#eceff3", "muted": "#a2abb6",
    "line": "#323944", "gate": "#ff86b4", "good": "#5fd6a2", "bad": "#ff8f86", "unsure": "#f2bd5c",
    "baseline": "#7d8793", "series1": "#3f9fe6", "series2": "#f0b53c", "series3": "#45d6a0",
    "series4": "#e29cc3", "series5": "#94d3f8", "series6": "#ff8b4a",
}  # fmt: skip


def series(place: int) -> str:
    """The role of the place-th arm beside the baseline."""
    return f"series{place % SERIES + 1}"
