"""How far each host of a rollout is: stages, and a few words. What the live table is drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llamarig import report
from llamarig.cli import table
from llamarig.rollout.entries import cause, settled
from llamarig.rollout.parts import LOOK, STAGE, Part

STAGES = ("preflight", "build", "model", "stage", "proof", "switch")
# The story's steps. The model's download begins before the build, and is awaited after it.
_STEPS = {"Preflight": 0, "Toolchain": 1, "llama.cpp": 1, "Model": 2, "Server": 3, "Proof": 4,
          "Switch": 5}  # fmt: skip
WAITS, RUNS, DONE, FAILED = "waiting", "running", "done", "failed"
# Whose rows are shown where there is no room for all.
ORDER = (RUNS, FAILED, WAITS, DONE)


@dataclass
class Row:
    """here: the stage that a host is at; through: how many of them it has behind it."""

    name: str
    state: str = WAITS
    here: int = 0
    through: int = 0
    note: str = ""

    def cells(self) -> list[str]:
        """A word for each stage: ok, now, FAIL or a dash."""
        words = ["ok" if number < self.through else "-" for number in range(len(STAGES))]
        if self.state in (RUNS, FAILED):
            words[self.here] = "now" if self.state == RUNS else "FAIL"
        return words

    def began(self) -> None:
        self.state, self.here, self.note = RUNS, 0, ""

    def seen(self, entry: dict[str, Any]) -> None:
        """What the report says while the run goes on. Steps of a site's own are no stages."""
        if report.sick(entry):
            self.state, self.note = FAILED, cause(entry)
            return
        step = entry.get("step", "")
        stage = _STEPS.get(step, self.here)
        if step != "Model" or self.here >= _STEPS["llama.cpp"]:
            self.here, self.through = stage, max(self.through, stage)

    def ended(self, part: Part, entry: dict[str, Any]) -> None:
        """What a run came to on this host."""
        if report.sick(entry):
            self.state, self.note = FAILED, cause(entry)
        elif part.kind == LOOK and not settled(entry):
            self.state, self.note = WAITS, "waits"
        elif part.kind == STAGE:
            self.state, self.through, self.note = WAITS, _STEPS["Proof"], "staged, waits"
        else:
            self.state, self.through, self.note = DONE, len(STAGES), _result(part, entry)


def _result(part: Part, entry: dict[str, Any]) -> str:
    if part.kind == LOOK:
        return "nothing to do"
    proof = entry.get("smoke") or {}
    kept = ", kept" if table.verdict(entry) == "kept" else ""
    return table.ratio(proof.get("speedup"), proof.get("interval")) + kept


def chosen(rows: Iterable[Row], most: int) -> tuple[list[Row], str]:
    """At most so many rows, in their order, and a line that counts the others."""
    rows = list(rows)
    if len(rows) <= most:
        return rows, ""
    first = sorted(rows, key=lambda row: ORDER.index(row.state))[: max(most, 0)]
    shown = {row.name for row in first}
    rest = [row.state for row in rows if row.name not in shown]
    counts = ", ".join(f"{rest.count(state)} {state}" for state in ORDER if state in rest)
    return [row for row in rows if row.name in shown], f"and {len(rest)} more: {counts}"
