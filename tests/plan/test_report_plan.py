"""The story of `llamarig report` on @fake hosts: it reads every host's log and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llamarig.reports import collect, fleet

Planner = Callable[..., Any]
LOG = "tail -n 500 /var/lib/llamarig/measurements.jsonl"
LINE = {
    "kind": "check", "finished": 1781244312.0, "verdict": "pass", "reason": "fine",
    "speedup": 1.98, "interval": [1.95, 2.0], "baseline_tps": 44.2, "mtp_tps": 87.4,
    "min_speedup": 1.7, "residency": {"mtp": "card"}, "generation": 3,
    "context": {"cpu": "Ryzen", "card": None, "release": "r9", "kernel": "6.1"},
}  # fmt: skip


def has(*lines: str) -> dict[str, object]:
    return {"backend": "cpu", "answers": {LOG: list(lines)}}


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.py"
    path.write_text("from llamarig.tasks import report\n\nreport.run()\n")
    return path


def test_every_hosts_log_is_in_the_report(plan: Planner, story: Path) -> None:
    whole = json.dumps(LINE)
    found = plan(
        {"gpu01": has(whole, whole[:40], whole), "gpu02": has(), "gpu03": {"backend": "cpu"}},
        deploy=story,
    )
    assert found.code == 0, found.output
    assert found.operations == {}
    hosts = {name.removeprefix("@fake/"): entry for name, entry in found.report["hosts"].items()}
    assert len(hosts["gpu01"]["measurements"]) == 2
    assert "residency" not in hosts["gpu01"]["measurements"][0]
    shown = collect.hosts(hosts)
    assert fleet.cells(shown[0])[3:] == [
        "Ryzen", "44.2", "87.4", "1.98x", "[1.95, 2.00]", "-", "pass",
    ]  # fmt: skip
    assert fleet.notes(shown) == [
        "gpu02: nothing measured yet", "gpu03: nothing measured yet",
        "gpu01: 1 broken line(s) of its log left out",
    ]  # fmt: skip
