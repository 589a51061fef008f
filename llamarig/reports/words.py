"""Figures as people read them; a dash where nothing is known."""

from __future__ import annotations

from llamarig.reports.arms import Figures

NOTHING = "-"


def plain(value: float | None, form: str, unit: str = "") -> str:
    return NOTHING if value is None else f"{value:{form}}{unit}"


def share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0%}"


def interval(ends: tuple[float, float] | None) -> str:
    return NOTHING if ends is None else f"[{ends[0]:.2f}, {ends[1]:.2f}]"


# Columns of a table of figures: the heading and what it means.
COLUMNS = (
    ("tokens/s", "decode speed, the server's own timing, mean over rounds"),
    ("speedup", "over the baseline of the same rounds"),
    ("interval", "the speedup's, 95 %, bootstrap over rounds"),
    ("acceptance", "drafted tokens that were kept"),
    ("length", "tokens that one step of the model yields"),
    ("ms/token", "time of a token"),
    ("prefill/s", "prompt tokens read a second"),
    ("prefill loss", "against the baseline"),
)


def cells(figures: Figures) -> list[str]:
    """An arm's figures in the order of COLUMNS."""
    return [
        plain(figures.tps, ".1f"),
        plain(figures.speedup, ".2f", "x"),
        interval(figures.interval),
        share(figures.acceptance),
        plain(figures.acceptance_length, ".2f"),
        plain(figures.ms_per_token, ".1f"),
        plain(figures.prefill_tps, ".0f"),
        share(figures.prefill_loss),
    ]
