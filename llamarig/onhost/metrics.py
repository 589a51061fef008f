"""Metrics of the check as node_exporter's textfile collector reads them: the text exposition format
0.0.4, replaced as a whole.

What a run does not touch keeps its value: the file itself is where counters go on from. One that is
gone begins at nothing, which Prometheus takes for a restart.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from typing import Any

FILE = "llamarig.prom"
MOST_BYTES = 65536
# Name to type and meaning, in the file's order.
KNOWN = {
    "llamarig_speedup_ratio": ("gauge", "Tokens per second with MTP over those without."),
    "llamarig_speedup_interval_ratio": ("gauge", "Ends of the speedup's 95 % interval."),
    "llamarig_speedup_gate_ratio": ("gauge", "The speedup that has to be reached (min_speedup)."),
    "llamarig_tokens_per_second": (
        "gauge", "Decoding: arm mtp as measured by the check, arm baseline as recorded before.",
    ),
    "llamarig_acceptance_ratio": ("gauge", "Drafted tokens that were accepted."),
    "llamarig_acceptance_length": ("gauge", "Tokens that a step of the model yields on average."),
    "llamarig_check_success": ("gauge", "1 if the newest check that came to a verdict passed."),
    "llamarig_check_timestamp_seconds": (
        "gauge", "When the newest check that came to a verdict was over.",
    ),
    "llamarig_check_skipped_total": ("counter", "Checks left out because the host was in use."),
    "llamarig_check_undecided_total": ("counter", "Checks that came to no verdict."),
}  # fmt: skip
COUNTERS = tuple(name for name, (kind, _) in KNOWN.items() if kind == "counter")
LINE = re.compile(r'([a-z_]+)((?:\{[a-z]+="[a-z]+"\})?) (\S+)')
Values = dict[str, float]


def of(record: dict[str, Any]) -> Values:
    """What a measurement that came to a verdict says, series to value."""
    low, high = record.get("interval") or (None, None)
    found = {
        "llamarig_speedup_ratio": record.get("speedup"),
        'llamarig_speedup_interval_ratio{bound="low"}': low,
        'llamarig_speedup_interval_ratio{bound="high"}': high,
        "llamarig_speedup_gate_ratio": record["min_speedup"],
        'llamarig_tokens_per_second{arm="baseline"}': record.get("baseline_tps"),
        'llamarig_tokens_per_second{arm="mtp"}': record.get("mtp_tps"),
        "llamarig_acceptance_ratio": record.get("acceptance"),
        "llamarig_acceptance_length": record.get("acceptance_length"),
        "llamarig_check_success": float(record["verdict"] == "pass"),
        "llamarig_check_timestamp_seconds": record["finished"],
    }
    return {series: float(value) for series, value in found.items() if value is not None}


def read(path: str) -> Values:
    """The series of a file that `write` wrote; what is not ours is left out."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(MOST_BYTES).splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        parts = LINE.fullmatch(line)
        if parts and parts[1] in KNOWN:
            try:
                value = float(parts[3])
            except ValueError:
                continue
            if math.isfinite(value):
                found[parts[1] + parts[2]] = value
    return found


def render(values: Values) -> str:
    """The file's text: each metric once, with what it means, then its series."""
    lines = []
    for name, (kind, meaning) in KNOWN.items():
        own = [each for each in values if each.split("{")[0] == name]
        if own:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
            lines += [f"{series} {values[series]!r}" for series in sorted(own)]
    return "\n".join(lines) + "\n"


def measured(path: str, record: dict[str, Any]) -> None:
    """A check came to a verdict: its figures replace those of the one before."""
    before = read(path)
    counted = {
        name: before.get(name, 0.0) for name, (kind, _) in KNOWN.items() if kind == "counter"
    }
    write(path, {**counted, **of(record)})


def counted(path: str, counter: str) -> None:
    """A check was left out, or came to no verdict: one more of these, figures as they were."""
    before = read(path)
    write(path, {**dict.fromkeys(COUNTERS, 0.0), **before, counter: before.get(counter, 0.0) + 1})


def write(path: str, values: Values) -> None:
    """Replace the file; readable for all, since node_exporter is not root.

    Raises:
        OSError: it can't be written.
    """
    # The collector reads *.prom alone. The folder may be another user's: no link of theirs is
    # followed.
    temporary = f"{path}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with open(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(render(values))
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
