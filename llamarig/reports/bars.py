"""The bars of a chart's two panels, with their figures, whiskers and the gate's line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from llamarig.reports.layout import Bar, Group
from llamarig.reports.run import Run

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.patheffects import AbstractPathEffect

Palette = Mapping[str, str]
# Share of a row that a bar fills; points of text.
BAR, TEXT = 0.8, 9.5
# Share of the longest bar that is left for the figures beside it.
ROOM = 1.2


def _bars(
    axes: Axes, groups: list[Group], colours: Palette, value: Callable[[Bar], float | None]
) -> float:
    """A bar for every value that is known; the longest one's length."""
    longest = 0.0
    for group in groups:
        for row, bar in group.placed():
            length = value(bar)
            if length is not None:
                axes.barh(row, length, height=BAR, color=colours[bar.role])
                longest = max(longest, length)
    return longest


def _figure(axes: Axes, at: tuple[float, float], text: str, colours: Palette, bold: bool) -> None:
    """A bar's figure beside its end; it covers the gate's line where that runs through it."""
    axes.annotate(
        text, at, (4, 0), textcoords="offset points", va="center", fontsize=TEXT,
        color=colours["ink"], fontweight="bold" if bold else "normal",
        bbox={"facecolor": colours["surface"], "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def speeds(axes: Axes, run: Run, groups: list[Group], colours: Palette) -> list[Artist]:
    """Tokens a second; no lines for the legend."""
    longest = _bars(axes, groups, colours, lambda bar: bar.figures.tps)
    axes.set_xlim(0, longest * ROOM or 1)
    for group in groups:
        for row, bar in group.placed():
            if (tps := bar.figures.tps) is not None:
                _figure(axes, (tps, row), f"{tps:.1f}", colours, group.summary)
    return []


def speedups(axes: Axes, run: Run, groups: list[Group], colours: Palette) -> list[Artist]:
    """Speedups with their intervals; the gate's line, for the legend."""
    longest = _bars(axes, groups, colours, _ratio)
    for group in groups:
        for row, bar in group.placed():
            if (speedup := _ratio(bar)) is None:
                continue
            form = "g" if bar.role == "baseline" else ".2f"
            low, high = bar.figures.interval or (speedup, speedup)
            end = max(speedup, high)
            if bar.figures.interval:
                _whisker(axes, row, (min(low, speedup), end), colours)
            _figure(axes, (end, row), f"{speedup:{form}}x", colours, group.summary)
            longest = max(longest, end)
    axes.set_xlim(0, max(longest, run.gate or 0, 1) * ROOM)
    axes.xaxis.set_major_formatter("{x:g}x")
    return _gate(axes, run.gate, colours)


def _ratio(bar: Bar) -> float | None:
    """A bar's speedup; the baseline's is one."""
    return 1.0 if bar.role == "baseline" else bar.figures.speedup


def _whisker(axes: Axes, row: float, ends: tuple[float, float], colours: Palette) -> None:
    (line,) = axes.plot(ends, (row, row), color=colours["ink"], linewidth=1.2, marker="|",
                        markersize=6, markeredgewidth=1.2)  # fmt: skip
    line.set_path_effects(_halo(colours))


def _halo(colours: Palette) -> list[AbstractPathEffect]:
    """A rim by which a line stands out from a bar of any colour."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=3, foreground=colours["surface"], alpha=0.75), Normal()]


def _gate(axes: Axes, gate: float | None, colours: Palette) -> list[Artist]:
    """The gate's line, for the legend."""
    if gate is None:
        return []
    line = axes.axvline(gate, color=colours["gate"], linewidth=1.5, linestyle=(0, (2.6, 1.4)),
                        label=f"gate {gate:g}x")  # fmt: skip
    axes.axvline(gate, color=colours["surface"], linewidth=3, alpha=0.75, zorder=1.9)
    return [line]
