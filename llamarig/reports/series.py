"""A host's measurements over time: tokens a second above, the speedup below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from llamarig.reports import drawing
from llamarig.reports.collect import Host, Point

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Palette = Mapping[str, str]
# By kind: marker, its size in points, and the word in the legend.
KINDS = {
    "proof": ("o", 5.0, "proof"), "smoke": ("o", 5.0, "proof"), "live": ("D", 4.0, "live"),
    "check": (".", 4.5, "check"), "bench": ("s", 4.5, "bench"), "tune": ("^", 5.0, "sweep"),
}  # fmt: skip
OTHER = ("x", 4.5, "other")
# Inches: a phone's width in points.
WIDTH, HEIGHT, TOP, BOTTOM, LEFT, RIGHT, BETWEEN = 4.6, 3.1, 0.34, 0.34, 0.48, 0.14, 0.32
TEXT = 9.5
HOUR = 3600.0
DAY = 24 * HOUR
# How a moment is written on an axis of at most so many seconds.
DATES = ((2 * DAY, "%H:%M"), (300 * DAY, "%d %b"), (float("inf"), "%b %Y"))


def draw(host: Host, colours: Palette) -> Figure:
    """The chart of a host.

    Raises:
        ValueError: it has no measurements.
    """
    if not host.points:
        raise ValueError("no measurements")
    figure = drawing.figure(WIDTH, HEIGHT)
    figure.set_facecolor(colours["surface"])
    tall = (HEIGHT - TOP - BOTTOM - BETWEEN) / 2 / HEIGHT
    wide = (WIDTH - LEFT - RIGHT) / WIDTH
    lower = figure.add_axes((LEFT / WIDTH, BOTTOM / HEIGHT, wide, tall))
    upper = figure.add_axes(
        (LEFT / WIDTH, (BOTTOM + BETWEEN) / HEIGHT + tall, wide, tall), sharex=lower
    )
    _speeds(upper, host.points, colours)
    _speedups(lower, host.points, colours)
    for axes, title in ((upper, "tokens/s"), (lower, "speedup")):
        _frame(axes, title, colours)
    _dates(lower, upper, host.points)
    _legend(upper, _lines(colours), colours)
    _legend(lower, _kinds(host.points, colours), colours)
    return figure


def _speeds(axes: Axes, points: tuple[Point, ...], colours: Palette) -> None:
    _line(axes, [(point, point.baseline_tps) for point in points], colours["baseline"], colours)
    top = _line(axes, [(point, point.tps) for point in points], colours["series1"], colours)
    axes.set_ylim(0, top * 1.15 or 1)


def _speedups(axes: Axes, points: tuple[Point, ...], colours: Palette) -> None:
    known = [point for point in points if point.interval is not None]
    ends = [point.interval or (0, 0) for point in known]
    axes.vlines(
        [_when(point.when) for point in known],
        [low for low, _ in ends],
        [high for _, high in ends],
        color=colours["series1"], alpha=0.45, linewidth=1.6,
    )  # fmt: skip
    top = _line(axes, [(point, point.speedup) for point in points], colours["series1"], colours)
    gate = points[-1].gate
    if gate is not None:
        axes.axhline(gate, color=colours["gate"], linewidth=1.2, linestyle=(0, (2.6, 1.4)))
    speedups = [point.speedup for point in points if point.speedup is not None]
    low = min([1.0, *speedups, *(low for low, _ in ends)])
    high = max([1.0, top, gate or 0, *(high for _, high in ends)])
    axes.set_ylim(low - 0.05 * high, high * 1.08)
    axes.yaxis.set_major_formatter("{x:g}x")


def _line(
    axes: Axes, values: list[tuple[Point, float | None]], colour: str, colours: Palette
) -> float:
    """A line through what is known, with a marker per kind, hollow where the verdict was no pass;
    the largest value."""
    known = [(point, value) for point, value in values if value is not None]
    axes.plot([_when(point.when) for point, _ in known], [value for _, value in known],
              color=colour, linewidth=1, alpha=0.6)  # fmt: skip
    for kind, (marker, size, _) in {**KINDS, "": OTHER}.items():
        for sound in (True, False):
            own = [(_when(point.when), value) for point, value in known
                   if (point.kind if point.kind in KINDS else "") == kind
                   and (point.verdict not in ("fail", "undecided")) == sound]  # fmt: skip
            axes.plot(
                [when for when, _ in own], [value for _, value in own], linestyle="none",
                marker=marker, markersize=size, markeredgewidth=1.1,
                markeredgecolor=colour if sound else colours["bad"],
                markerfacecolor=colour if sound else colours["surface"],
            )  # fmt: skip
    return max((value for _, value in known), default=0.0)


def _when(epoch: float) -> float:
    """Epoch seconds as matplotlib counts days, in the zone we are in."""
    from matplotlib.dates import date2num

    return float(date2num(datetime.fromtimestamp(epoch)))  # type: ignore[no-untyped-call]


def _frame(axes: Axes, title: str, colours: Palette) -> None:
    axes.set_facecolor(colours["surface"])
    axes.set_title(title, loc="left", fontsize=TEXT, pad=4, color=colours["muted"])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=TEXT, labelcolor=colours["muted"])
    axes.grid(axis="y", color=colours["line"], linewidth=0.7)
    axes.set_axisbelow(True)
    axes.locator_params(axis="y", nbins=4)


def _dates(lower: Axes, upper: Axes, points: tuple[Point, ...]) -> None:
    """The common axis of time, an hour at least."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    first, last = points[0].when, points[-1].when
    room = max(0.06 * (last - first), HOUR)
    lower.set_xlim(_when(max(0, first - room)), _when(last + room))
    form = next(form for longest, form in DATES if last - first <= longest)
    ticks = AutoDateLocator(minticks=3, maxticks=5, interval_multiples=False)  # type: ignore[no-untyped-call]
    lower.xaxis.set_major_locator(ticks)
    lower.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]
    upper.tick_params(labelbottom=False)


def _lines(colours: Palette) -> list[Artist]:
    from matplotlib.lines import Line2D

    words = {"series1": "MTP", "baseline": "baseline"}
    return [Line2D([], [], color=colours[role], linewidth=2, label=word)
            for role, word in words.items()]  # fmt: skip


def _kinds(points: tuple[Point, ...], colours: Palette) -> list[Artist]:
    """The markers of the kinds that are there."""
    from matplotlib.lines import Line2D

    kinds = sorted({KINDS.get(point.kind, OTHER) for point in points}, key=lambda each: each[2])
    return [Line2D([], [], linestyle="none", marker=marker, markersize=size, label=word,
                   color=colours["muted"]) for marker, size, word in kinds]  # fmt: skip


def _legend(axes: Axes, handles: list[Artist], colours: Palette) -> None:
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles),
                borderaxespad=0.2, borderpad=0, frameon=False, fontsize=TEXT, handlelength=1,
                handletextpad=0.4, columnspacing=0.8, labelcolor=colours["muted"])  # fmt: skip
