"""The bench as a story of its own: `llamarig bench`, or
`pyinfra INVENTORY llamarig.tasks.bench.run --data '_bench_depths=[0,2,3]'`."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import bench, connection, report
from llamarig.paths import JOBS
from llamarig.settings import Settings
from llamarig.tasks import bench_job, candidate, live, preflight, site, turn
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState
from llamarig.tasks.facts.proof import Proof
from llamarig.tasks.facts.release import Release
from llamarig.tasks.facts.systemd_version import SystemdVersion
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step


def run() -> None:
    """Preflight, then measure what is live at several draft depths. It serves again afterwards."""
    preflight.check()
    measure()


@step("Bench")
def measure() -> None:
    wanted = bench.of(host.data.dict())
    settings = bench_job.asked(site.settings(), wanted)
    depths(name="Measure the draft depths", settings=settings, wanted=wanted)


@operation()
def depths(settings: Settings, wanted: bench.Wanted) -> Generator[PyinfraCommand, None, None]:
    """Start the job, or join it where the same is measured already, and report what came out."""
    known: GenerationState = host.get_fact(Generations)
    of = known.live
    if of is None:
        yield failure("nothing serves here, so there is nothing to measure; first: llamarig up")
        return
    release = host.get_fact(Release, build_id=of.manifest["release"])
    lines = _faults(settings, wanted, of)
    if release is None or lines:
        gone = f"release {of.manifest['release']} is gone; `llamarig up` builds it again"
        yield failure(*(lines or [gone]))
        return
    job = bench_job.spec(
        settings, of, wanted,
        build_number=release.build_number, systemd=host.get_fact(SystemdVersion),
    )  # fmt: skip
    with turn.taken(settings.smoke_parallel):
        yield from jobs.start(job)
        if not state.is_executing:
            return
        reason = jobs.wait(job, job.whole_s)
    if reason and not connection.alive(host):
        yield failure(reason)
        return
    _report(of, job.name)
    yield jobs.forget_others(job)
    # The job's last words started it again.
    silent = live.unanswered(of.manifest["address"], settings.load_timeout_seconds)
    if reason or silent:
        yield failure(*filter(None, (reason, silent)))


def _faults(settings: Settings, wanted: bench.Wanted, of: Generation) -> list[str]:
    """Why measuring can't end well, a line each."""
    lines = []
    if settings.proof_tokens >= settings.context:
        lines.append(
            f"--tokens {settings.proof_tokens}: allowed: fewer than context, which is "
            f"{settings.context}: the prompt needs room too"
        )
    return lines + candidate.unfit(bench_job.at_depth(settings, max(wanted.depths)), of)


def _report(of: Generation, job: str) -> None:
    found = host.get_fact(Proof, record=bench_job.record_path(f"{JOBS}/{job}"))
    report.record(
        host.name,
        generation=of.number,
        release=of.manifest["release"],
        model=of.manifest["model"],
        bench=found,
    )
