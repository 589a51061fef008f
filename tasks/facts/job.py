"""A detached job on a host: its status file and whether its unit is alive."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import JOBS


@dataclass(frozen=True)
class JobState:
    """state: absent, running, succeeded, failed, or died (running by its file, but no unit).

    done and total are in `unit`; tail holds the last lines of output.
    """

    state: str
    stage: str = ""
    message: str = ""
    unit: str = "steps"
    done: int | None = None
    total: int | None = None
    tail: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        return self.state != "running"


def command(name: str) -> str:
    """The shell line that `parse` reads; also used for polling, without sudo."""
    return (
        f"systemctl is-active llamarig-{name}.service 2>/dev/null; "
        f"cat {JOBS}/{name}/status.json 2>/dev/null; true"
    )


def parse(output: list[str]) -> JobState:
    """Judge `is-active` and the status file together.

    Raises:
        FactProcessError: the status file is no JSON object that says a state.
    """
    if len(output) < 2:
        active = bool(output) and output[0] in ("active", "activating")
        return JobState("running") if active else JobState("absent")
    try:
        status: dict[str, Any] = json.loads("\n".join(output[1:]))
        state, tail = str(status["state"]), tuple(map(str, status.get("tail") or ()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FactProcessError(f"the job's status file can't be read: {error!r}") from None
    alive = output[0] in ("active", "activating", "deactivating")
    if state == "running" and not alive:
        state = "died"
    elif alive:
        # Its last words are still to come: a job is over when its unit is.
        state = "running"
    return JobState(
        state=state,
        stage=status.get("stage") or "",
        message=status.get("message") or "",
        unit=status.get("unit") or "steps",
        done=status.get("done"),
        total=status.get("total"),
        tail=tail,
    )


class Job(FactBase[JobState]):
    """The state of the job `name` (`build-<id>`, `fetch-<id>`, `prove-<n>`)."""

    @staticmethod
    def default() -> JobState:
        return JobState("absent")

    def command(self, job: str) -> str:
        return command(job)

    def process(self, output: list[str]) -> JobState:
        return parse(output)
