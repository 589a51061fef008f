"""The smoke test: what is live, measured again. `llamarig smoke` measures it as it serves,
`llamarig smoke --full` both arms anew; also `pyinfra INVENTORY llamarig.tasks.smoke.run` or
`llamarig.tasks.smoke.full`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, report
from llamarig.settings import Settings
from llamarig.tasks import live_job, preflight, server, site, turn
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState
from llamarig.tasks.facts.proof import Proof
from llamarig.tasks.operations import host_lock, jobs, refusal
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import refuse, refused, step
from llamarig.values import allowed

# Of a run, instead of the settings': `--data _min_speedup=1.5`.
MIN_SPEEDUP = "_min_speedup"


def run() -> None:
    """Measure what is live as it serves, against the baseline that was recorded."""
    begin()
    measure()


def full() -> None:
    """Preflight, then both arms once more; what is live does not serve meanwhile."""
    preflight.check()
    choose_gate()
    server.smoke()


@step("Preflight")
def begin() -> None:
    """Settings, connection, privileges, something live; then the lock."""
    settings = arrive()
    if not refused(host.name):
        _choose_gate()
        if host.get_fact(Generations).live is None:
            refuse(host.name, ["smoke: nothing is live on this host; first: llamarig up"])
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


@step("Preflight")
def choose_gate() -> None:
    """The run's own gate, if it has one."""
    _choose_gate()
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))


def _choose_gate() -> None:
    asked = host.data.get(MIN_SPEEDUP)
    if asked is None:
        return
    try:
        site.choose(gated(site.settings(), asked))
    except ValueError as error:
        refuse(host.name, [str(error)])


def gated(settings: Settings, asked: object) -> Settings:
    """The settings with another gate.

    Raises:
        ValueError: it is none; the line says so.
    """
    try:
        valid = Settings.model_validate({"min_speedup": float(str(asked))})
    except ValueError:
        words = allowed(Settings.model_fields["min_speedup"])
        raise ValueError(f"min_speedup: found {asked!r}, allowed: {words}") from None
    return settings.model_copy(update={"min_speedup": valid.min_speedup})


@step("Smoke test")
def measure() -> None:
    """What serves, measured by the host itself."""
    measured(name="Measure the server as it serves", settings=site.settings())


@operation()
def measured(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Measure what is current; it serves on, whatever comes out."""
    known: GenerationState = host.get_fact(Generations)
    serving = known.live
    if serving is None:
        yield failure("smoke: nothing is live on this host; first: llamarig up")
        return
    job = live_job.spec(settings, serving.number)
    with turn.taken(settings.smoke_parallel):
        yield from jobs.start(job)
        if not state.is_executing:
            return
        reason = jobs.wait(job, live_job.seconds(settings) + 60)
    if connection.alive(host):
        yield jobs.forget_others(job)
    if reason:
        yield failure(reason)
        return
    found: dict[str, Any] | None = host.get_fact(
        Proof, record=live_job.record_path(serving.number)
    )  # fmt: skip
    if found is None:
        yield failure(f"smoke: generation {serving.number} is no longer current; run it again")
        return
    _report(serving, found)
    if found["verdict"] != "pass":
        yield failure(found["reason"], *_what_now(serving, found))


def _report(serving: Generation, found: dict[str, Any]) -> None:
    manifest = serving.manifest
    report.record(
        host.name,
        generation=serving.number,
        release=manifest["release"],
        model={"file": manifest["model"]["file"], "sha256": manifest["model"]["sha256"]},
        smoke=found,
        undecided=found["verdict"] == "undecided",
    )


def _what_now(serving: Generation, found: dict[str, Any]) -> list[str]:
    if found["verdict"] == "undecided" or found["speedup"] is None:
        return [
            f"generation {serving.number} serves on; run it again when the host is idle, or "
            "`llamarig smoke --full`, which measures both arms anew"
        ]
    return [
        f"generation {serving.number} serves on; `llamarig smoke --full` measures both arms anew, "
        "`llamarig tune` looks for a better depth"
    ]
