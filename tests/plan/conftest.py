"""Plans on pyinfra's @fake hosts: the real deploy.py, the real pyinfra, canned answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llamarig.settings import Settings
from llamarig.tasks.facts.workstation import AS_OPERATOR, AS_ROOT, MARK, arguments

REPO = Path(__file__).resolve().parents[2]

MACHINE = ["debian", "12", "bookworm", "x86_64", "systemd", "8"]
# What a fresh Debian workstation answers; keys are parts of the commands that ask.
FRESH: dict[str, object] = {
    "echo missing": ["root", "0", "works"],
    "VERSION_CODENAME": [*MACHINE, "glibc 2.36", "6.1.0-40-amd64", "65841234"],
    "place()": ["8:1 ext4 /data", "99999999999", "sda ", "259:2 ext4 /", "9999999999", "nvme0n1 "],
    "readlink /opt/llamarig/current": ["- -", "[]"],
    "uname -s": ["Linux"],
    "useradd": ["/usr/sbin/useradd"],
    "systemctl --version": ["systemd 252 (252.39-1~deb12u1)"],
}


def together(answers: dict[str, object]) -> dict[str, object]:
    """The answers, and in front of them those of the facts that preflight asks all at once."""
    asked = arguments(Settings())
    sections: dict[str, object] = {}
    for facts in (AS_ROOT, AS_OPERATOR):
        lines: list[object] = []
        for name, fact in facts.items():
            command = fact.command(**asked.get(name, {}))
            answer = next((answers[key] for key in reversed(answers) if key in command), [])
            assert isinstance(answer, list)
            lines += [MARK + name, *answer]
        sections[MARK + next(iter(facts))] = lines
    return {**sections, **answers}


@dataclass(frozen=True)
class Plan:
    """operations: name -> hosts that it would change; report: llamarig's own."""

    operations: dict[str, list[str]]
    report: dict[str, Any]
    output: str
    code: int


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Plan]:
    """Plan the real deploy.py for hosts given as name -> data (answers under `answers`).

    Without `--json` in `words` it is run as a user of plain pyinfra would.
    """

    def run(
        hosts: dict[str, dict[str, object]],
        deploy: Path = REPO / "deploy.py",
        words: tuple[str, ...] = ("--json", "--dry"),
    ) -> Plan:
        entries = []
        for name, data in hosts.items():
            own = {key: value for key, value in data.items() if key != "answers"}
            # Nobody listens there: a plan of a test asks no hub but its own.
            own.setdefault("hf_endpoint", "http://127.0.0.1:9")
            own.setdefault("web_ui", "none")  # auto is for tests/plan/test_web_ui_plan.py
            own |= {
                "fake_responses": together({**FRESH, **data.get("answers", {})}),
                "fake_delay": 0,
            }  # type: ignore[dict-item]
            entries.append((f"@fake/{name}", {**own, "fake_delay_jitter": 0}))
        inventory = tmp_path / "inventory.py"
        inventory.write_text(f"hosts = {entries!r}\n")
        report = tmp_path / "report.json"
        done = subprocess.run(
            [sys.executable, "-m", "pyinfra", str(inventory), str(deploy), *words],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "PYINFRA_PROGRESS": "off",
                 **({"LLAMARIG_REPORT": str(report)} if "--json" in words else {})},
        )  # fmt: skip
        operations = {}
        if done.stdout.strip().startswith("{"):
            for each in json.loads(done.stdout)["plan"]:
                operations[each["name"]] = each["hosts_with_change"]
        written = json.loads(report.read_text()) if report.exists() else {}
        return Plan(operations, written, done.stderr, done.returncode)

    return run
