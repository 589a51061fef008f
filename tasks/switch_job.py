"""The job that lets another proven generation serve; what it needs is also part of a proof's."""

from __future__ import annotations

import json
from typing import Any

from llamarig import operator
from llamarig.paths import HISTORY, JOBS, LIVE_UNIT, ROOT, TRANSACTION
from llamarig.settings import Settings
from llamarig.tasks.operations import jobs

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
# Seconds beyond the model's loading that stopping, starting and writing may take.
SPARE_SECONDS = 90


def config(settings: Settings, number: int, action: str) -> dict[str, Any]:
    """What llamarig/onhost/switch.py is told: who switches to which generation, and where it is
    written down."""
    return {
        "root": ROOT,
        "generation": number,
        "live_unit": LIVE_UNIT,
        "transaction": TRANSACTION,
        "history": HISTORY,
        "who": operator.who(),
        "action": action,
        "settings": settings.digest,
        "load_timeout_s": settings.load_timeout_seconds,
    }


def last_words_seconds(settings: Settings) -> int:
    """A switch that fails loads two models: the candidate's, and what served before."""
    return 2 * settings.load_timeout_seconds + SPARE_SECONDS


def spec(settings: Settings, number: int, action: str) -> jobs.Spec:
    """Let a proven generation serve; whatever happens, what is current serves afterwards."""
    name = f"switch-{number}"
    path = f"{JOBS}/{name}/switch.json"
    python = ["/usr/bin/python3", jobs.program(), "switch"]
    limit = last_words_seconds(settings)
    return jobs.Spec(
        name=name,
        title=f"switch to generation {number}",
        unit="steps",
        stages=[jobs.Stage("switch", [*python, path], limit, ENVIRONMENT)],
        last_words=[*python, "--finish", path],
        last_words_s=limit,
        instead_of=("prove", "bench", "tune"),
        files={"switch.json": json.dumps(config(settings, number, action), indent=2)},
    )
