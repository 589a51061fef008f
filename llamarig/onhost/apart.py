"""Measuring apart from users: what serves is stopped meanwhile, since two models do not fit on one
card and would disturb each other, and what came of it is written down, whatever that was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from llamarig.onhost import beside, binary, context, measurements, switch, systemd
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json
from llamarig.onhost.memory import look
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED, Rounds

Take = Callable[[dict[str, Any], Rounds], dict[str, Any]]


def record(config: dict[str, Any], kind: str, take: Take, **own: Any) -> dict[str, Any]:
    """The record of what `take` measures, as it was written down.

    own: what the record has besides, also where nothing could be measured.

    Raises:
        Stop: it came to no end; that is in the record too.
    """
    known = {
        "kind": kind, "generation": config["generation"], "started": time.time(),
        "context": context.look(config), "memory_mib": {},
    }  # fmt: skip
    found: dict[str, Any] = {"verdict": "fail", "reason": "it was not finished", **own}
    with Rounds(config) as bench:
        try:
            any_arm = next(iter(config["arms"].values()))
            known["version"] = binary.version(any_arm, config["build_number"])
            beside.stop_check()
            systemd.stop(config["live_unit"])
            known["memory_mib"], problem = look(config["fit"], config["fit_environment"])
            if problem:
                raise Stop(problem, NOT_PASSED)
            found = {**own, **take(config, bench)}
        except Stop as stop:
            verdict = "undecided" if stop.code == UNDECIDED else "fail"
            found = {**found, "verdict": verdict, "reason": str(stop)}
            raise
        finally:
            found = {**found, **known, "residency": bench.residency, "finished": time.time()}
            write_json(config["record"], found)
            if bench.samples:
                measurements.append(config["measurements"], found)
    print(found["reason"], flush=True)
    return found


def finish(path: str) -> int:
    """systemd's last words for a job that measures, however it ended: no candidate is left, and
    what `current` names serves."""
    config = read_json(path)
    for name in config["arms"]:
        unit = f"llamarig-candidate-{name}.service"
        # Of some twenty at most one is there, and nobody should wait for the others.
        if os.path.exists(os.path.join(systemd.RUNTIME_UNITS, unit)):
            systemd.remove(unit)
    systemd.reload()
    return switch.finish(path)
