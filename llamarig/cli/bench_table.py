"""What a bench found, prompt by prompt and depth by depth, beside the walkthrough's own figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from llamarig.cli import details, table
from llamarig.display import plain
from llamarig.reports import run, walkthrough
from llamarig.reports.arms import Arm, Figures
from llamarig.reports.run import Run

THEIRS = "  the walkthrough's"
Cell = Callable[[Figures], str]


def _tps(each: Figures) -> str:
    return table.number(each.tps, ".1f")


def _speedup(each: Figures) -> str:
    return table.ratio(each.speedup, list(each.interval) if each.interval else None)


def by_prompt(own: Run, theirs: Run, cell: Cell, arms: tuple[Arm, ...]) -> list[list[str]]:
    """A line per prompt and their average, a column per arm; below each what the walkthrough has of
    the same prompt, at those depths that it measured."""
    lines = []
    for prompt, kind in own.prompts.items():
        lines.append([prompt, kind, *_cells(arms, prompt, cell)])
        lines += _beside(theirs, arms, prompt, cell)
    lines.append(["average", "", *_cells(arms, None, cell)])
    return lines + _beside(theirs, arms, None, cell)


def _cells(arms: Iterable[Arm | None], prompt: str | None, cell: Cell) -> list[str]:
    """prompt: None for all of them together."""
    found = [arm and (arm.prompts.get(prompt) if prompt else arm.overall) for arm in arms]
    return [cell(each) if each else "-" for each in found]


def _beside(theirs: Run, arms: Iterable[Arm], prompt: str | None, cell: Cell) -> list[list[str]]:
    """The walkthrough's line, if it has anything to tell."""
    known = {arm.name: arm for arm in theirs.arms}
    cells = _cells([known.get(arm.name) for arm in arms], prompt, cell)
    return [] if set(cells) == {"-"} else [[THEIRS, "", *cells]]


def by_depth(own: Run, theirs: Run) -> list[list[str]]:
    """A line per arm with all its figures over the prompts, the head first."""
    known = {arm.name: arm for arm in theirs.arms}
    lines = [["", "t/s", "speedup", "acceptance", "length", "prefill t/s"]]
    for arm in own.arms:
        lines.append([arm.label, *_all(arm.overall)])
        if arm.name in known:
            lines.append([THEIRS, *_all(known[arm.name].overall)])
    return lines


def _all(each: Figures) -> list[str]:
    return [
        _tps(each), _speedup(each), table.number(each.acceptance, ".0%"),
        table.number(each.acceptance_length, ".2f"), table.number(each.prefill_tps, ".0f"),
    ]  # fmt: skip


def blocks(record: dict[str, Any]) -> list[tuple[str, list[list[str]]]]:
    """Titles with their tables; nothing where nothing was measured."""
    own, theirs = _by_depth(run.read(record)), run.read(walkthrough.record())
    if not own.arms:
        return []
    faster = tuple(arm for arm in own.arms if not arm.baseline)
    found = [("by depth", by_depth(own, theirs))]
    for title, cell, arms in (("tokens a second", _tps, own.arms), ("speedup", _speedup, faster)):
        head = ["prompt", "class", *(arm.label for arm in arms)]
        found.append((title, [head, *by_prompt(own, theirs, cell, arms)]))
    return found


def _by_depth(found: Run) -> Run:
    """With n10 after n2; a record as JSON has them by their letters."""
    order = sorted(found.arms, key=lambda arm: (not arm.baseline, len(arm.name), arm.name))
    return replace(found, arms=tuple(order))


def where(record: dict[str, Any]) -> list[str]:
    """On what it was measured, and what the walkthrough's figures are of."""
    context = record.get("context") or {}
    card, found = context.get("card") or {}, walkthrough.table()
    limit = f", {card['power_limit_w']:.0f} W" if card.get("power_limit_w") else ""
    device = f"{card['name']}{limit}" if card.get("name") else context.get("cpu") or "no card"
    return [
        f"measured on {device}, suite {context.get('suite', '-')}, {record.get('rounds')} rounds",
        f"the walkthrough's: {found['card']}, {found['model']}, its three prompts",
    ]


def show(name: str, record: dict[str, Any]) -> None:
    """Print a host's bench."""
    print(f"\n{plain(name)}: {plain(str(record.get('reason') or 'nothing was measured'))}")
    tables = blocks(record)
    for title, lines in tables:
        print(f"\n  {title}")
        table.columns([["   ", *map(plain, line)] for line in lines])
    for line in [*where(record), *details.notes(record)] if tables else []:
        print(f"  {plain(line)}")
