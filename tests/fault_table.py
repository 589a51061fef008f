"""The fault matrix as a table: what each test of a cell breaks, and what came of it.

`pytest --fault-table=docs/faults.md` writes it as the tests marked `cell(what, serves)` end. Lines
of tests that were not run stay, each with its day and commit, so that a matrix that was cut off, or
run in parts, is whole again when the rest was run.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

HEADER = """# The fault matrix

Written by `make test-lab`; each line is a test on a made host that breaks one thing, then asks the
server itself which generation serves. Seconds are of the whole test, on two cores.

| what is broken | what must serve afterwards | result | seconds | when, at which commit | test |
|---|---|---|---|---|---|
"""
LAB = Path(__file__).parent / "lab"
# A line's cells; a | in one is written \\|.
CELLS = re.compile(r"(?<!\\) ?\| ?")


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=7"],
        cwd=LAB, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def rows(text: str) -> dict[tuple[str, str], str]:
    """A table's lines, by what is broken and the test; without those of tests that are gone."""
    source = "".join(map(Path.read_text, LAB.glob("*.py")))
    tests = set(re.findall(r"^def (test_\w+)", source, re.M))
    found = {}
    for line in text.splitlines():
        cells = CELLS.split(line.strip())[1:-1]
        if len(cells) == 6 and cells[5] in tests:
            found[cells[0], cells[5]] = line
    return found


class FaultTable:
    """Collects the cells as they run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells: dict[str, tuple[str, str]] = {}
        self.rows = rows(path.read_text()) if path.exists() else {}
        self.when = f"{time.strftime('%Y-%m-%d')}, {_commit()}"

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if mark := item.get_closest_marker("cell"):
                name = getattr(getattr(item, "callspec", None), "id", "")
                self.cells[item.nodeid] = (str(mark.args[0]).format(case=name), str(mark.args[1]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        cell = self.cells.get(report.nodeid)
        if cell is None or (report.when != "call" and report.passed):
            return
        what, serves = (words.replace("|", "\\|") for words in cell)
        place = report.nodeid.split("::", 1)[1].split("[")[0]
        told = [what, serves, report.outcome, f"{report.duration:.0f}", self.when, place]
        self.rows[what, place] = f"| {' | '.join(told)} |"
        self.path.write_text(HEADER + "\n".join(self.rows.values()) + "\n")


def add_option(parser: Any) -> None:
    # Give it with "=": after a blank pytest takes FILE for the only place to look for tests.
    parser.addoption("--fault-table", metavar="FILE", help="Write the fault matrix there.")


def configure(config: pytest.Config) -> None:
    if path := config.getoption("--fault-table"):
        config.pluginmanager.register(FaultTable(Path(path)))
