"""The server: staged as a generation, proven on the host, and only then live."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import gevent
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state
from pyinfra.operations import files
from pyinfra.operations import server as stock

from llamarig import connection, report
from llamarig.paths import CURRENT, LIVE_UNIT, UNIT_LINK, WANTS_LINK
from llamarig.settings import Settings
from llamarig.tasks import generation, llama_cpp, model_source, proof, recipe_flags, site
from llamarig.tasks.facts.generation import Generation, Generations, GenerationState
from llamarig.tasks.facts.live_server import LiveServer
from llamarig.tasks.facts.nvidia_smi import NvidiaSmi, chosen
from llamarig.tasks.facts.proof import Proof
from llamarig.tasks.facts.release import Release
from llamarig.tasks.operations import generations, jobs
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step


@step("Server")
def stage() -> None:
    """The service's user, and a generation with everything it needs; nothing live yet."""
    settings = site.settings()
    stock.user(
        name="Make the service's user",
        user=settings.service_user,
        system=True,
        ensure_home=False,
        home="/nonexistent",
        shell="/usr/sbin/nologin",
    )
    if settings.backend == "vulkan":
        # The unit asks for it; a host without a desktop has no such group.
        stock.group(name="Make the render nodes' group", group="render", system=True)
    stage_generation(name="Stage a generation", settings=settings)
    # The links may dangle until something is proven; from then on every boot serves `current`.
    files.link(name="Link the unit", path=UNIT_LINK, target=f"{CURRENT}/{LIVE_UNIT}")
    files.link(name="Start it at boot", path=WANTS_LINK, target=UNIT_LINK)


@step("Proof")
def prove() -> None:
    """Measure the candidate on the host; the same job makes it current if it passes."""
    prove_generation(name="Prove the candidate", settings=site.settings(), force=False)


@step("Switch")
def switch() -> None:
    """Serve what `current` names, now and after every boot."""
    go_live(name="Serve the proven generation", settings=site.settings())


@step("Smoke test")
def smoke() -> None:
    """Measure what is live once more, on the host. What serves, serves on whatever comes out."""
    prove_generation(name="Measure the live server", settings=site.settings(), force=True)


def _rendered(settings: Settings, known: GenerationState) -> generation.Rendered | None:
    """The generation that the settings ask for, numbered as the host has it, or as the next."""
    release = llama_cpp.release_id(settings)
    found = model_source.record(settings)
    if release is None or found is None:
        return None
    first = generation.render(settings, 0, release, found.path, found.sha256)
    same = known.candidate(first.digest)
    number = same.number if same else known.next_number
    return generation.render(settings, number, release, found.path, found.sha256)


@operation()
def stage_generation(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Write the generation unless the host has it."""
    known = host.get_fact(Generations)
    rendered = _rendered(settings, known)
    if rendered is None:
        yield StringCommand("true  # known once the model is there")
        return
    if known.number(rendered.number):
        host.noop(f"generation {rendered.number} is staged")
        return
    yield from generations.put(rendered)


def _candidate(settings: Settings) -> tuple[GenerationState, Generation | None]:
    known: GenerationState = host.get_fact(Generations)
    rendered = _rendered(settings, known) if known.all else None
    return known, known.number(rendered.number) if rendered else None


@operation()
def prove_generation(settings: Settings, force: bool) -> Generator[PyinfraCommand, None, None]:
    """Prove the candidate unless it is current and proven; `force` measures in any case."""
    known, candidate = _candidate(settings)
    if candidate is None:
        if state.is_executing:
            yield failure("nothing is deployed for these settings yet; first: llamarig up")
        else:
            yield StringCommand("true  # known once a generation is staged")
        return
    if known.current == candidate.number and candidate.proven and not force:
        host.noop(f"generation {candidate.number} is current and proven")
        _report(candidate, candidate.proof, settings)
        return
    if state.is_executing and (lines := _unfit(settings, candidate)):
        yield failure(*lines)
        return
    job = proof.spec(settings, candidate, force=force)
    yield from jobs.start(job)
    if not state.is_executing:
        return
    reason = jobs.wait(job, settings.proof_timeout_minutes * 60 + 60)
    if reason and not connection.alive(host):
        yield failure(reason)
        return
    after: GenerationState = host.get_fact(Generations)
    taken = host.get_fact(Proof, record=proof.record_path(candidate, force=force))
    _report(candidate, taken, settings)
    silent = None
    if after.live and (force or reason):
        # The job's last words started it again; "serves on" is said when it does.
        silent = _unanswered(after.live.manifest["address"])
    if reason:
        yield failure(reason, silent or _what_now(after, candidate.number, taken))
    elif silent:
        yield failure(silent)


def _unfit(settings: Settings, candidate: Generation) -> list[str]:
    """Why proving can't end well: the recipe and the card against the release itself."""
    this = candidate.manifest["release"]
    lines = recipe_flags.faults(settings, this)
    if settings.backend == "cuda":
        release = host.get_fact(Release, build_id=this)
        card = chosen(host.get_fact(NvidiaSmi).cards, settings.gpu)
        wrong = llama_cpp.mismatch(release, card.compute_capability) if release and card else None
        lines += [wrong] if wrong else []
    return lines


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


def _what_now(after: GenerationState, number: int, taken: dict[str, Any] | None) -> str:
    """The second line of a failed gate: what serves, and what to do."""
    tune = "tune draft_n_max or min_speedup, or choose another model, and run it again"
    if not (taken or {}).get("samples"):
        tune = "the line above says what to mend; then run it again"
    if after.current == number:
        return f"generation {number} serves on as before; {tune}"
    if after.current is not None:
        return f"generation {after.current} serves on; the candidate stays stopped: {tune}"
    return f"nothing serves and the candidate stays stopped: {tune}"


@operation()
def go_live(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Start the unit of `current` and wait until it answers. Restarts nothing that already
    runs from `current`, unless its model's file was replaced under it."""
    known: GenerationState = host.get_fact(Generations)
    live = host.get_fact(LiveServer)
    if known.current is None:
        if state.is_executing:
            yield failure("nothing is proven on this host, so nothing goes live")
        else:
            yield StringCommand("true  # known once a generation is proven")
        return
    if live.active == "active" and live.generation == known.current and not live.replaced:
        host.noop(f"generation {known.current} is live")
    else:
        yield StringCommand("systemctl daemon-reload")
        same = live.generation in (known.current, None) and not live.replaced
        verb = "start" if same else "restart"
        yield StringCommand(f"systemctl {verb} {LIVE_UNIT}")
    if state.is_executing:
        address = host.data.get("ssh_hostname") or host.name
        report.record(host.name, url=f"http://{address}:{settings.port}")
        if silent := _unanswered({"bind": settings.address, "port": settings.port}):
            yield failure(silent)


def _reachable(bind: str) -> str:
    """The address, in a URL, at which the host itself reaches a server bound to `bind`."""
    any_address = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    return any_address.get(bind, f"[{bind}]" if ":" in bind else bind)


def _unanswered(served: dict[str, Any]) -> str | None:
    """None once /health of our own unit says ok; else why it does not. served: bind and port."""
    url = f"http://{_reachable(served['bind'])}:{served['port']}/health"
    check = f"systemctl is-active {LIVE_UNIT}; curl -s -m 5 -o /dev/null -w '%{{http_code}}' {url}"
    deadline = time.monotonic() + proof.LOAD_SECONDS
    while time.monotonic() < deadline:
        try:
            _, lines = connection.run(host, check)
        except ConnectionError as error:
            return f"the connection was lost while the server loaded ({error})"
        if lines[-1:] == ["200"] and lines[0] == "active":
            return None
        if lines and lines[0] in ("failed", "inactive"):
            return f"{LIVE_UNIT} does not run; journalctl -u {LIVE_UNIT} says why"
        gevent.sleep(0.5)
    return f"{LIVE_UNIT} did not answer within {proof.LOAD_SECONDS} s"
