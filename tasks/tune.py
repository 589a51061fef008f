"""The draft depth that is fastest on a host, written into the site: `llamarig tune`, or
`pyinfra INVENTORY llamarig.tasks.tune.run --data _tune_depths=0-6`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, report, tune, tuned
from llamarig.errors import UserError
from llamarig.measure.grid import Grid
from llamarig.settings import Settings
from llamarig.tasks import (
    candidate,
    live,
    llama_cpp,
    model_source,
    preflight,
    site,
    tune_job,
    turn,
)
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState
from llamarig.tasks.facts.proof import Proof
from llamarig.tasks.facts.systemd_version import SystemdVersion
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step
from llamarig.tuned_forms import KEYS

NOTHING = "nothing is deployed for these settings yet; first: llamarig up"


def run() -> None:
    """Preflight, then search on the host. What serves, serves again afterwards, as it did."""
    preflight.check()
    measure()


@step("Tune")
def measure() -> None:
    settings = site.settings()
    over = tune_job.grid(settings, tune.of(host.data.dict()))
    search(name="Search for the best draft depth", settings=settings, over=over)


@operation()
def search(settings: Settings, over: Grid) -> Generator[PyinfraCommand, None, None]:
    """Start the job, or join it where the same is searched for already; write the winner down."""
    known: GenerationState = host.get_fact(Generations)
    of = _staged(settings, known)
    if of is None:
        yield failure(NOTHING)
        return
    if lines := _faults(settings, over, of):
        yield failure(*lines)
        return
    job = tune_job.spec(settings, of, over, systemd=host.get_fact(SystemdVersion))
    with turn.taken(settings.smoke_parallel):
        yield from jobs.start(job)
        if not state.is_executing:
            return
        reason = jobs.wait(job, job.whole_s)
    if reason and not connection.alive(host):
        yield failure(reason)
        return
    record = host.get_fact(Proof, record=tune_job.record_path(job.name)) or {}
    report.record(host.name, generation=of.number, release=of.manifest["release"], tune=record)
    yield jobs.forget_others(job)
    silent = None
    if known.live:
        # The job's last words started it again.
        seconds = settings.load_timeout_seconds
        silent = live.unanswered(known.live.manifest["address"], seconds)
    problems = [reason, None if reason else _write_down(record), silent]
    if any(problems):
        undecided = record.get("verdict") == "undecided"
        report.record(host.name, undecided=undecided and not silent)
        yield failure(*filter(None, problems))


def _staged(settings: Settings, known: GenerationState) -> Generation | None:
    """The newest generation with the release and the model that the settings ask for: its depth
    does not matter, nor whether it ever passed."""
    release, model = llama_cpp.release_id(settings), model_source.record(settings)
    for each in reversed(known.all):
        manifest = each.manifest
        same = model is not None and manifest["model"]["sha256"] == model.sha256
        if same and manifest["release"] == release and not each.edited:
            return each
    return None


def _faults(settings: Settings, over: Grid, of: Generation) -> list[str]:
    """Why searching can't end well, a line each."""
    lines = [line for line in (tune.too_little(over),) if line]
    if settings.spec_type == "none":
        lines.append('spec_type: "none" drafts nothing, so no depth is best; set "draft-mtp"')
    deepest = tune_job.drafting(settings, over.candidates()[-1])
    return lines + (candidate.unfit(deepest, of) if state.is_executing else [])


def _write_down(record: dict[str, Any]) -> str | None:
    """The winner into the site, if there is one; why that could not be done."""
    if record.get("verdict") != "pass":
        return None
    entry = tuned.entry(record)
    try:
        site.tuned().put(host.name, entry)
    except UserError as error:
        return str(error)
    # What the inventory says of this host itself goes before what was tuned.
    said = {key: getattr(site.settings(), key) for key in site.own(host) & set(KEYS)}
    beaten = sorted(key for key in said if said[key] != entry[key])
    report.record(host.name, tuned={**entry, "file": tuned.PLACE, "beaten": beaten})
    return None
