"""The fault matrix as a table: what each test of a cell breaks, and what came of it.

`pytest --fault-table=docs/faults.md` writes it after the run, of the tests marked `cell(what)`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

HEADER = """# The fault matrix

Written by `make test-lab`; each line is a test on a made host that breaks one thing, then asks the
server itself which generation serves. Seconds are of the whole test, on two cores.

| what is broken | what must serve afterwards | result | seconds | test |
|---|---|---|---|---|
"""


class FaultTable:
    """Collects the cells as they run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells: dict[str, tuple[str, str]] = {}
        self.rows: list[str] = []

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
        self.rows.append(
            f"| {what} | {serves} | {report.outcome} | {report.duration:.0f} | {place} |"
        )

    def pytest_sessionfinish(self) -> None:
        if self.rows:
            self.path.write_text(HEADER + "\n".join(self.rows) + "\n")


def add_option(parser: Any) -> None:
    # Give it with "=": after a blank pytest takes FILE for the only place to look for tests.
    parser.addoption("--fault-table", metavar="FILE", help="Write the fault matrix there.")


def configure(config: pytest.Config) -> None:
    if path := config.getoption("--fault-table"):
        config.pluginmanager.register(FaultTable(Path(path)))
