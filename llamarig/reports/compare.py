"""One's own figures next to the walkthrough's."""

from __future__ import annotations

from typing import Any

from llamarig.reports import run, walkthrough, words
from llamarig.reports.arms import Arm, Figures
from llamarig.reports.run import Run

HEADER = ["prompt", "arm", "tokens/s", "speedup", "interval", "walkthrough", "its speedup"]
AVERAGE = "average"


def rows(record: dict[str, Any]) -> list[list[str]]:
    """HEADER, then a row per prompt and arm that both have, and the averages where all prompts
    are the walkthrough's; empty where nothing can be compared."""
    own, theirs = run.read(record), run.read(walkthrough.record())
    pairs = [(arm, other) for arm in own.arms for other in theirs.arms if arm.label == other.label]
    shared = [prompt for prompt in theirs.prompts if prompt in own.prompts]
    found = [
        _row(prompt, arm, arm.prompts[prompt], other.prompts[prompt])
        for prompt in shared
        for arm, other in pairs
        if prompt in arm.prompts
    ]
    if set(own.prompts) == set(theirs.prompts):
        found += [_row(AVERAGE, arm, arm.overall, other.overall) for arm, other in pairs]
    return [HEADER, *found] if found else []


def _row(prompt: str, arm: Arm, own: Figures, theirs: Figures) -> list[str]:
    return [
        prompt,
        arm.label,
        words.plain(own.tps, ".1f"),
        words.plain(own.speedup, ".2f", "x"),
        words.interval(own.interval),
        words.plain(theirs.tps, ".1f"),
        words.plain(theirs.speedup, ".2f", "x"),
    ]


def headline(own: Run) -> str:
    """What the walkthrough saw, for a run of its prompts; else nothing."""
    theirs = run.read(walkthrough.record())
    best, base = theirs.best, theirs.baseline
    if best is None or base is None or set(own.prompts) != set(theirs.prompts):
        return ""
    table = walkthrough.table()
    return (
        f"{base.overall.tps:.1f} to {best.overall.tps:.1f} tokens/s, {best.overall.speedup:.2f}x "
        f"with {best.label} ({table['card']}, {table['model']}; {table['source']})"
    )
