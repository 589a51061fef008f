"""Proving a candidate: the job is started or joined, and its end is told."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import connection, report
from llamarig.settings import Settings
from llamarig.tasks import live, part, plan_diff, proof, proof_age, turn
from llamarig.tasks.candidate import candidate as find_candidate
from llamarig.tasks.candidate import rendered, unfit
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState
from llamarig.tasks.facts.proof import Proof
from llamarig.tasks.operations import jobs
from llamarig.tasks.operations.outcome import failure


@operation()
def prove(settings: Settings, force: bool) -> Generator[PyinfraCommand, None, None]:
    """Prove the candidate unless it is current and proven; `force` measures in any case."""
    known, candidate = find_candidate(settings)
    if candidate is None:
        if state.is_executing:
            yield failure("nothing is deployed for these settings yet; first: llamarig up")
        else:
            if known.all and rendered(settings, known) is None:
                plan_diff.later("Prove the candidate", "the model is there")
            yield StringCommand("true  # known once a generation is staged")
        return
    if force and candidate.number != known.current:
        serves = f"generation {known.current} serves" if known.current else "nothing serves"
        yield failure(
            f"smoke: {serves}, and the settings ask for generation {candidate.number}: `llamarig "
            "up` deploys that; without --full it is measured what serves"
        )
        return
    done = settled(known, candidate, settings)
    if part.looks():
        report.record(host.name, staged=candidate.number, settled=done)
    if done and not force:
        host.noop(f"generation {candidate.number} is current and proven")
        _report(candidate, candidate.proof, settings)
        return
    if state.is_executing and (lines := unfit(settings, candidate)):
        yield failure(*lines)
        return
    job = proof.spec(settings, candidate, force=force)
    with turn.taken(settings.smoke_parallel):
        yield from jobs.start(job)
        if not state.is_executing:
            return
        reason = jobs.wait(job, proof.seconds(settings) + 60)
    if reason and not connection.alive(host):
        yield failure(reason)
        return
    if force:
        yield jobs.forget_others(job)
    after: GenerationState = host.get_fact(Generations)
    taken = host.get_fact(Proof, record=proof.record_path(candidate, force=force)) or {}
    _report(candidate, taken or None, settings)
    silent = None
    if after.live and (force or reason):
        # The job's last words started it again; "serves on" is said when it does.
        silent = live.unanswered(after.live.manifest["address"], settings.load_timeout_seconds)
    if reason:
        undecided = taken.get("verdict") == "undecided" and taken["reason"] in reason
        report.record(host.name, undecided=undecided and not silent)
        yield failure(reason, silent or _what_now(after, candidate.number, taken))
    elif silent:
        yield failure(silent)


def settled(known: GenerationState, candidate: Generation, settings: Settings) -> bool:
    """Whether the candidate serves by right, somebody saw it answer, and it was proven on the card
    that is there."""
    kept = candidate.kept and settings.on_gate_fail == "keep"
    current = known.current == candidate.number and not known.unfinished
    return current and (candidate.proven or kept) and not proof_age.stale(candidate, settings)


def _report(candidate: Generation, found: dict[str, Any] | None, settings: Settings) -> None:
    manifest = candidate.manifest
    report.record(
        host.name,
        generation=candidate.number,
        release=manifest["release"],
        smoke=found,
        model={"file": manifest["model"]["file"], "sha256": manifest["model"]["sha256"]},
        port=settings.port,
    )


def _what_now(after: GenerationState, number: int, taken: dict[str, Any]) -> str:
    """The second line of a failed gate: what serves, and what to do."""
    verdict = taken.get("verdict")
    if not taken.get("samples"):
        tune = "the line above says what to mend; then run it again"
    elif verdict == "fail" and after.current is None:
        tune = (
            "try another draft_n_max, choose another model, or let it serve all the same with "
            'on_gate_fail = "keep", and run it again'
        )
    elif verdict == "fail":
        tune = (
            "find the best draft depth with `llamarig tune`, choose another model, or keep it all "
            'the same with on_gate_fail = "keep", and run it again'
        )
    else:
        tune = "run it again when the host is idle, or with more proof_max_rounds"
    if after.current == number:
        return f"generation {number} serves on as before; {tune}"
    if after.current is not None:
        return f"generation {after.current} serves on; the candidate stays stopped: {tune}"
    return f"nothing serves and the candidate stays stopped: {tune}"
