"""All bytes of the hosts' models read again: `llamarig models verify`, or
`pyinfra INVENTORY llamarig.tasks.model_verify.run`. What serves, serves on."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.paths import JOBS
from llamarig.settings import Settings
from llamarig.tasks import doctor, model_choice, model_job, model_source, site
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.model_file import ModelFile
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.facts.workstation import read
from llamarig.tasks.operations import host_lock, jobs, refusal
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import refuse, refused, step


def run() -> None:
    """Arrive, take the lock, verify."""
    begin()
    check()


@step("Preflight")
def begin() -> None:
    """Settings, connection, privileges, which file; then the lock."""
    settings = arrive_for_file()
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


def arrive_for_file() -> Settings:
    """Arrive, and know which file the settings mean where model_quant leaves it open."""
    settings = arrive()
    if not refused(host.name) and settings.model_quant is not None:
        problem = model_choice.choose(read(doctor.examine(settings)), settings)
        refuse(host.name, [problem] if problem else [])
    return site.settings()


@step("Model")
def check() -> None:
    """Read and judge all bytes of the recorded file."""
    verify(name="Verify the model again", settings=site.settings())


def spec(settings: Settings) -> jobs.Spec:
    """The job: one program that reads the file and writes its verdict."""
    name = f"verify-{model_source.identity(settings)}"
    record, result = model_source.record_path(settings), f"{JOBS}/{name}/result.json"
    argv = ["/usr/bin/python3", jobs.program(), "verify", record, result]
    limit = settings.download_timeout_minutes * 60
    return jobs.Spec(
        name=name,
        title=f"verify {model_source.name(settings)}",
        unit="bytes",
        stages=[jobs.Stage("read", argv, limit, model_job.ENVIRONMENT)],
        nice=5,
    )


@operation(is_idempotent=False)
def verify(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Start or join the job, wait, and say what it found."""
    if host.get_fact(ModelFile, record=model_source.record_path(settings)) is None:
        if state.is_executing:
            yield failure(
                f"no model yet: this host has no record of {model_source.name(settings)}; "
                "first: `llamarig models get` or `llamarig up`"
            )
        return
    job = spec(settings)
    yield from jobs.start(job)
    if not state.is_executing:
        return
    if reason := jobs.wait(job, settings.download_timeout_minutes * 60 + 60):
        yield failure(reason)
        return
    text = host.get_fact(TextFile, path=f"{JOBS}/{job.name}/result.json")
    if text is None:
        yield failure(f"{job.title}: it left no result; run the same command again")
        return
    result: dict[str, Any] = json.loads(text)
    report.record(host.name, verified=result)
    if result["verdict"] != "right":
        yield failure(fault(result))


def fault(result: dict[str, Any]) -> str:
    """The line for a file that is not what it was: what was found, and what to do."""
    line = f"model: {result['words']}"
    if result["source"] == "path":
        return f"{line}; it is your own file and stays as it is: mend it, then: llamarig up"
    if result["generations"]:
        numbers = ", ".join(str(each) for each in result["generations"])
        return (
            f"{line}; generation {numbers} uses it, so it stays there: `llamarig up` brings it "
            "anew and restarts the server"
        )
    if result["renamed"]:
        line += f"; it is {result['renamed']} now"
    return f"{line}; `llamarig up` brings it anew"
