"""The check by the timer: measures what serves, if nobody needs the host, and tells the result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from llamarig.onhost import beside, listening, live, live_server, load, metrics, recorded, slots
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json
from llamarig.onhost.live_server import Live
from llamarig.onhost.recorded import Serving

# Jobs beside which a figure is worth nothing.
LOADING = (*beside.MEASURING, "live", "build", "fetch", "verify")
HTTP_LOADING = 503
FAILED = 3


def main(path: str) -> int:
    """One check; FAILED where the gate was missed or nothing answers, 0 else."""
    config = read_json(path)
    found = recorded.serving(config["root"])
    why = in_use(config, found)
    if why is None:
        record = live.take(config, found)
        # A job may have begun meanwhile, which stops the server.
        why = record["reason"] if record["busy"] else taken_over(config)
    if why is not None:
        print(f"skipped: {why.removeprefix('busy: ')}", flush=True)
        _tell(config, lambda file: metrics.counted(file, "llamarig_check_skipped_total"))
        return 0
    live.keep(config, found, record)
    print(f"{record['verdict']}: {record['reason']}", flush=True)
    if record["verdict"] == "undecided":
        _tell(config, lambda file: metrics.counted(file, "llamarig_check_undecided_total"))
        return 0
    _tell(config, lambda file: metrics.measured(file, record))
    return 0 if record["verdict"] == "pass" else FAILED


def taken_over(config: dict[str, Any]) -> str | None:
    """What of llamarig's has the host now; None for nothing."""
    if job := beside.running(*LOADING):
        return f"{job} is at work"
    if os.path.exists(config["transaction"]):
        return "a switch is under way"
    return None


def in_use(config: dict[str, Any], found: Serving) -> str | None:
    """Why this is no moment for a check; None where nobody needs the host. A server that does not
    answer is no such reason: measuring it will say so."""
    if why := taken_over(config):
        return why
    if listening.status(found.manifest["address"]) == HTTP_LOADING:
        return "the server loads its model"
    try:
        server = live_server.reach(
            config["live_unit"], found.manifest, config["key_file"], config["request_timeout_s"]
        )
        return _watched(server, config["watch_s"])
    except (Stop, OSError):
        return None


def _watched(server: Live, seconds: float) -> str | None:
    """Whether anybody asked, or computed, in these seconds."""
    before, begun = server.slots(), load.now(server.pid)
    if slots.busy(before):
        return "users are served"
    time.sleep(seconds)
    after, ended = server.slots(), load.now(server.pid)
    if slots.busy(after) or slots.tasks(after) != slots.tasks(before):
        return "users are served"
    share = load.foreign_share(begun, ended, os.cpu_count() or 1)
    if share > load.LIMIT:
        return f"other programs use {share:.0%} of the processors"
    return None


def _tell(config: dict[str, Any], change: Callable[[str], None]) -> None:
    """Change the metrics' file, if one was asked for. A folder that is gone is said: a measurement
    was made all the same."""
    path = config["metrics_file"]
    if path is None:
        return
    try:
        change(path)
    except OSError as error:
        print(f"metrics_folder: {path}: {error.strerror}", flush=True)
