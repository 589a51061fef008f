"""Back to a generation that was proven before: `llamarig rollback`, or
`pyinfra INVENTORY llamarig.tasks.rollback.run --data _rollback_to=N`."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.settings import Settings
from llamarig.tasks import firewall, live, site, switch_job
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState
from llamarig.tasks.operations import host_lock, jobs, refusal
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import refuse, refused, step

TO = "_rollback_to"


def run() -> None:
    """Serve the previous generation, or the one that --to names; built and measured long ago."""
    begin()
    return_to_it()


@step("Preflight")
def begin() -> None:
    """Settings, connection, privileges, a way back; then the lock."""
    settings = arrive()
    if not refused(host.name):
        refuse(host.name, _faults(host.get_fact(Generations)))
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


# A step of its own: what a step does is done with the privileges that the host had before it.
@step("Rollback")
def return_to_it() -> None:
    """Admit the networks to its port, and switch."""
    settings = site.settings()
    ports = _ports(host.get_fact(Generations))
    firewall.admit(name="Admit the networks", settings=settings, also_live=True, ports=ports)
    back(name="Serve a generation from before", settings=settings)


def _number(known: GenerationState) -> int | None:
    asked = host.data.get(TO)
    return known.previous if asked is None else int(asked)


def _ports(known: GenerationState) -> list[int]:
    found = known.number(_number(known))
    return [found.manifest["address"]["port"]] if found else []


def _faults(known: GenerationState) -> list[str]:
    """Why there is no way back on this host, in one line."""
    number = _number(known)
    if number is None:
        return ["rollback: no generation was live here before; `llamarig up` deploys one"]
    found = known.number(number)
    sound = [each for each in known.all if (each.proven or each.kept) and not each.edited]
    proven = [str(each.number) for each in sound]
    choice = f"--to one of {', '.join(proven)}" if proven else "`llamarig up` deploys one"
    if found is None:
        return [f"rollback: this host has no generation {number}; {choice}"]
    if not (found.proven or found.kept):
        return [f"rollback: generation {number} was never proven here; {choice}"]
    if found.edited:
        return [f"rollback: generation {number} was edited by hand, so nothing proves it; {choice}"]
    return []


def _report(found: Generation) -> None:
    report.record(
        host.name,
        generation=found.number,
        release=found.manifest["release"],
        model=found.manifest["model"],
        smoke=found.proof,
        url=live.url(found.manifest["address"]),
    )


@operation()
def back(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Switch to it unless it serves already; where it does not answer, what served serves on."""
    known: GenerationState = host.get_fact(Generations)
    found = known.number(_number(known))
    if found is None or _serves(known, found):
        if found:
            _report(found)
            host.noop(f"generation {found.number} is current")
        return
    job = switch_job.spec(settings, found.number, "rollback")
    yield from jobs.start(job)
    if not state.is_executing:
        return
    reason = jobs.wait(job, switch_job.last_words_seconds(settings) * 2)
    after: GenerationState = host.get_fact(Generations)
    if reason:
        serving = f"generation {after.current} serves on" if after.current else "nothing serves"
        yield failure(reason, serving)
        return
    _report(found)


def _serves(known: GenerationState, found: Generation) -> bool:
    return known.current == found.number and not known.unfinished
