"""The run report: what happened on every host, written as it happens.

pyinfra prints its own JSON only when a host is left standing, so the result of a failed run would
be lost. The file named by LLAMARIG_REPORT is rewritten atomically after every operation instead:
once for all hosts of it, since writing it costs more with every host.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

VARIABLE = "LLAMARIG_REPORT"

_hosts: dict[str, dict[str, Any]] = {}


def begin(names: list[str]) -> None:
    """Name every host of the inventory, so that none can go missing unnoticed."""
    for name in names:
        _hosts.setdefault(name, empty())
    _write()


def empty() -> dict[str, Any]:
    """A host of which nothing is known yet."""
    return {"changed": 0, "unchanged": 0, "failed": 0, "operations": [], "problems": []}


def wanted() -> bool:
    """Whether somebody reads the file, who then says how the run ended."""
    return bool(os.environ.get(VARIABLE))


def sick(entry: dict[str, Any]) -> bool:
    """Whether the host was refused, or something failed on it."""
    return bool(entry["problems"] or entry["failed"])


def outcome(entry: dict[str, Any]) -> str:
    """`2 changed, 12 unchanged`, and whether that was all there was to do."""
    counts = f"{entry['changed']} changed, {entry['unchanged']} unchanged"
    if entry.get("unreachable"):
        return "unreachable"
    if entry["failed"]:
        return f"{counts}, {entry['failed']} failed"
    if entry["problems"]:
        return f"{counts}, stopped"
    return counts if entry["changed"] else f"{counts}: nothing to do"


def host(name: str) -> dict[str, Any]:
    """The host's part of the report."""
    if name not in _hosts:
        begin([name])
    return _hosts[name]


def record(name: str, **values: Any) -> None:
    """Add values under the host's name."""
    host(name).update(values)
    _write()


def problem(name: str, line: str) -> None:
    """A line that says why the host did not get further."""
    host(name)["problems"].append(line)
    _write()


def unreachable(name: str, why: str) -> None:
    """The host could not be connected to."""
    record(name, unreachable=True)
    problem(name, f"unreachable: {why}")


def step(title: str, names: list[str]) -> None:
    """Note the step of the story that hosts have come to."""
    if any(host(name).get("step") != title for name in names):
        for name in names:
            host(name)["step"] = title
        _write()


def operation(title: str, outcomes: dict[str, str]) -> None:
    """Count one operation; outcomes: host to changed, unchanged or failed."""
    for name, outcome in outcomes.items():
        entry = host(name)
        entry[outcome] += 1
        entry["operations"].append({"name": title, "outcome": outcome})
    _write()


def _write() -> None:
    path = os.environ.get(VARIABLE)
    if not path:
        return
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    # Without an indent Python writes it in C, ten times as fast.
    temporary.write_text(json.dumps({"hosts": _hosts}, sort_keys=True) + "\n")
    temporary.replace(path)
