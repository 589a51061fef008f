"""The walkthrough's chart of a measurement: tokens a second beside the speedup, prompt by prompt.

Bars lie, so that long names and many prompts fit and the text stays readable on a phone: a group
of bars per prompt under its name, the average last. Whiskers are the speedup's 95 % interval, the
dashed line is the gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llamarig.reports import bars, drawing, layout
from llamarig.reports.bars import TEXT, Palette
from llamarig.reports.layout import Group
from llamarig.reports.run import Run

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPEEDS, SPEEDUPS = "Tokens per second", "Speedup over the baseline"
# Inches: one panel, both side by side, a row of bars, margins above, below and beside a panel.
PANEL, BOTH, ROW, TOP, BOTTOM, SIDE = 4.6, 6.8, 0.225, 0.72, 0.34, 0.14
# Inches and points of a legend's second line.
LINE, LINE_POINTS = 0.2, 14
# Points of a panel's title.
HEADING = 11.5


def draw(run: Run, colours: Palette, panels: tuple[str, ...] = (SPEEDS, SPEEDUPS)) -> Figure:
    """The chart; panels: SPEEDS, SPEEDUPS, or both side by side.

    Raises:
        ValueError: nothing was measured.
    """
    if not run.arms:
        raise ValueError("nothing was measured")
    groups = layout.groups(run)
    rows = layout.rows(groups)
    more = layout.lines(run) - 1
    width = PANEL if len(panels) == 1 else BOTH
    height = TOP + more * LINE + rows * ROW + BOTTOM
    figure = drawing.figure(width, height)
    figure.set_facecolor(colours["surface"])
    share = 1 / len(panels)
    for place, panel in enumerate(panels):
        left, wide = place * share + SIDE / width, share - 2 * SIDE / width
        axes = figure.add_axes((left, BOTTOM / height, wide, rows * ROW / height))
        axes.set_ylim(rows, 0)
        axes.set_title(panel, loc="left", fontsize=HEADING, fontweight="bold",
                       pad=26 + more * LINE_POINTS, color=colours["ink"])  # fmt: skip
        _frame(axes, colours)
        lines = (bars.speeds if panel == SPEEDS else bars.speedups)(axes, run, groups, colours)
        _names(axes, groups, colours)
        arms = _arms(run, groups, colours) if place == 0 else []
        _legend(axes, [*arms, *lines], layout.columns(run), colours)
    return figure


def _frame(axes: Axes, colours: Palette) -> None:
    axes.set_facecolor(colours["surface"])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(axis="x", length=0, labelsize=TEXT, labelcolor=colours["muted"])
    axes.grid(axis="x", color=colours["line"], linewidth=0.7)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=6, min_n_ticks=3)


def _names(axes: Axes, groups: list[Group], colours: Palette) -> None:
    """The name of every group above its bars, on the axis itself."""
    for group in groups:
        axes.text(
            0, group.first + 0.52, group.name, va="center", fontsize=TEXT, color=colours["ink"],
            fontweight="bold" if group.summary else "normal",
            bbox={"facecolor": colours["surface"], "edgecolor": "none", "pad": 1},
        )  # fmt: skip


def _arms(run: Run, groups: list[Group], colours: Palette) -> list[Artist]:
    """Which colour is which arm, where the groups' names don't say it."""
    from matplotlib.patches import Patch

    shown = [] if layout.crowded(run) else groups[-1].bars
    return [Patch(color=colours[bar.role], label=bar.label) for bar in shown]


def _legend(axes: Axes, handles: list[Artist], columns: int, colours: Palette) -> None:
    if handles:
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns + 1,
            borderaxespad=0, borderpad=0, frameon=False, fontsize=TEXT, handlelength=1.1,
            handleheight=0.9, handletextpad=0.4, columnspacing=1.2, labelcolor=colours["ink"],
        )  # fmt: skip
