"""What a run proved as JUnit XML: a suite for the run, a case for each host.

fail is a <failure>: the gate was missed. undecided, and a host that was not measured at all, is an
<error>: the test could not tell; its type says which.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from llamarig.cli import deploy, table
from llamarig.display import plain
from llamarig.errors import UserError

Hosts = Mapping[str, Mapping[str, Any]]
# What is said of a measurement besides its verdict.
FIGURES = (
    "speedup", "baseline_tps", "mtp_tps", "acceptance", "acceptance_length", "min_speedup",
    "rounds", "disturbed_rounds",
)  # fmt: skip

option = click.option(
    "--junit",
    "junit_path",
    metavar="FILE",
    callback=deploy.writable,
    help="Write the result as JUnit XML there, a test case for each host.",
)


def write(path: Path, hosts: Hosts, command: str = "smoke") -> None:
    """Write the document; command: whose result it is.

    Raises:
        UserError: it could not be written.
    """
    try:
        path.write_bytes(document(hosts, command))
    except OSError as error:
        raise UserError(f"--junit {path}: {error.strerror}; the run itself is over") from None


def document(hosts: Hosts, command: str = "smoke") -> bytes:
    """The XML, in UTF-8. Names and reasons come from hosts: what XML can't hold, or would steer a
    terminal, is replaced."""
    cases = [_case(name, entry, command) for name, entry in sorted(hosts.items())]
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(each.find("failure") is not None for each in cases)),
        "errors": str(sum(each.find("error") is not None for each in cases)),
        "skipped": "0",
        "time": f"{sum(float(each.get('time') or 0) for each in cases):.3f}",
    }
    root = ElementTree.Element("testsuites", counts)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": f"llamarig {command}", **counts, "timestamp": stamp}
    )
    suite.extend(cases)
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _case(name: str, entry: Mapping[str, Any], command: str) -> ElementTree.Element:
    record = entry.get("smoke") or {}
    words = {"name": plain(name), "classname": f"llamarig.{command}"}
    case = ElementTree.Element("testcase", {**words, "time": f"{_seconds(record):.3f}"})
    known = {key: record[key] for key in FIGURES if record.get(key) is not None}
    if interval := record.get("interval"):
        known |= {"interval_low": interval[0], "interval_high": interval[1]}
    known |= {key: entry[key] for key in ("generation", "release") if entry.get(key) is not None}
    if known:
        properties = ElementTree.SubElement(case, "properties")
        for key, value in known.items():
            ElementTree.SubElement(
                properties, "property", {"name": key, "value": plain(str(value))}
            )
    verdict = table.verdict(dict(entry))
    # What `up` keeps below the gate was asked for (on_gate_fail).
    if verdict not in (("pass", "kept") if command == "up" else ("pass",)):
        _trouble(case, verdict, record, list(entry.get("problems") or []))
    return case


def _trouble(
    case: ElementTree.Element, verdict: str, record: Mapping[str, Any], problems: list[str]
) -> None:
    missed = verdict != "undecided" and record.get("verdict") == "fail"
    kind = "gate" if missed else "undecided" if verdict == "undecided" else "not measured"
    reason = record.get("reason") if missed or verdict == "undecided" else None
    lines = [plain(str(each)) for each in [reason, *problems] if each]
    lines = list(dict.fromkeys(lines)) or ["nothing is known of this host"]
    words = {"type": kind, "message": lines[0]}
    element = ElementTree.SubElement(case, "failure" if missed else "error", words)
    element.text = "\n".join(lines)


def _seconds(record: Mapping[str, Any]) -> float:
    started, finished = record.get("started"), record.get("finished")
    if not isinstance(started, int | float) or not isinstance(finished, int | float):
        return 0.0
    return max(0.0, finished - started)
