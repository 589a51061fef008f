"""Which bars a chart has, and where: rows of groups, counted from the top."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llamarig.reports import palette
from llamarig.reports.arms import Arm, Figures
from llamarig.reports.run import Run

AVERAGE = "average"
# More bars than this, or longer labels, and only the averages are drawn, a group per arm: the
# table has the rest.
MOST_BARS, MOST_LABEL = 40, 12
# Arms in one line of a legend; of more it gets a second line with so many columns.
IN_LINE, COLUMNS = 5, 4
MOST_NAME = 34
# Rows left between groups, and above the first.
GAP, ABOVE = 0.45, 0.15


@dataclass(frozen=True)
class Bar:
    """role: its colour's."""

    label: str
    role: str
    figures: Figures


@dataclass(frozen=True)
class Group:
    """Bars under one name; first: the name's row; summary: an average."""

    name: str
    bars: list[Bar]
    first: float
    summary: bool

    def placed(self) -> Iterator[tuple[float, Bar]]:
        """Every bar with the middle of its row."""
        for place, bar in enumerate(self.bars):
            yield self.first + 1.5 + place, bar


def crowded(run: Run) -> bool:
    """Whether a group per prompt with a legend would be too much."""
    bars = sum(len(arm.prompts) for arm in run.arms)
    long = any(len(arm.label) > MOST_LABEL for arm in run.arms)
    return len(run.arms) > palette.SERIES + 1 or bars > MOST_BARS or long


def columns(run: Run) -> int:
    """Columns of the legend of arms."""
    return len(run.arms) if len(run.arms) <= IN_LINE else COLUMNS


def lines(run: Run) -> int:
    """Lines of the legend of arms."""
    return 1 if crowded(run) or len(run.arms) <= IN_LINE else 2


def groups(run: Run) -> list[Group]:
    """A group per prompt and the average; of a crowded run one per arm."""
    roles = _roles(run)
    if crowded(run):
        named = [(arm.label, [Bar(arm.label, roles[arm.name], arm.overall)]) for arm in run.arms]
        return _stacked([(name, bars, False) for name, bars in named])
    found = [
        (prompt, [Bar(_short(run, arm), roles[arm.name], arm.prompts[prompt])
                  for arm in run.arms if prompt in arm.prompts], False)
        for prompt in run.prompts
    ]  # fmt: skip
    whole = [Bar(_short(run, arm), roles[arm.name], arm.overall) for arm in run.arms]
    return _stacked([*found, (AVERAGE, whole, True)])


def rows(found: list[Group]) -> float:
    """How many rows all of it takes."""
    return found[-1].first + 1 + len(found[-1].bars) + 0.2


def _stacked(found: list[tuple[str, list[Bar], bool]]) -> list[Group]:
    placed, row = [], ABOVE
    for name, bars, summary in found:
        placed.append(Group(_cut(name), bars, row, summary))
        row += 1 + len(bars) + GAP
    return placed


def _roles(run: Run) -> dict[str, str]:
    """Colours of the arms; in a crowded chart only the baseline is told apart."""
    others = [arm.name for arm in run.arms if not arm.baseline]
    one = crowded(run)
    roles = {name: palette.series(0 if one else place) for place, name in enumerate(others)}
    return {**roles, **{arm.name: "baseline" for arm in run.arms if arm.baseline}}


def _short(run: Run, arm: Arm) -> str:
    """A label; of many arms without the word that all have."""
    return arm.label.removeprefix("MTP ") if len(run.arms) > 3 else arm.label


def _cut(name: str) -> str:
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"
