"""What the check by a timer is made of on a host: its units, and what they are told. Pure."""

from __future__ import annotations

import hashlib
import json

from llamarig.onhost import metrics
from llamarig.paths import GENERATIONS, STATE, TRANSACTION
from llamarig.settings import Settings
from llamarig.tasks import live_job, template
from llamarig.tasks.facts.check import FILE, TIMER, TIMER_PATH, UNIT, UNIT_PATH
from llamarig.tasks.operations import jobs

PERIOD_SECONDS = {"hourly": 3600, "daily": 86400, "weekly": 7 * 86400}
# An eighth of a period keeps the hosts of a site apart.
DELAY_SHARE = 8
# Users that come while it measures have it end soon; they were not there when it began.
PATIENCE_SECONDS, WATCH_SECONDS = 10, 5


def metrics_file(settings: Settings) -> str | None:
    """The file that node_exporter reads, None for none."""
    folder = settings.metrics_folder
    return f"{folder}/{metrics.FILE}" if folder else None


def wanted(settings: Settings) -> dict[str, str]:
    """The check's files on a host, path to text; none where it is off."""
    if settings.check == "off":
        return {}
    told = {
        **live_job.config(settings, "check", PATIENCE_SECONDS),
        "transaction": TRANSACTION,
        "watch_s": WATCH_SECONDS,
        "metrics_file": metrics_file(settings),
    }
    folder = settings.metrics_folder or ""
    unit = template.compiled(UNIT).render(
        program=jobs.program(),
        config=FILE,
        limit=live_job.seconds(settings),
        state=STATE,
        generations=GENERATIONS,
        metrics_folder=folder,
        protect_home="read-only" if folder.startswith(("/home/", "/root/")) else "yes",
        backend=settings.backend,
    )
    delay = PERIOD_SECONDS[settings.check] // DELAY_SHARE
    timer = template.compiled(TIMER).render(period=settings.check, delay=delay)
    return {FILE: json.dumps(told, indent=2) + "\n", UNIT_PATH: unit, TIMER_PATH: timer}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
