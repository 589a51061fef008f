"""How what serves differs from what the settings ask for, and from what was staged."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.context import host

from llamarig.settings import Settings
from llamarig.tasks import (
    by_hand,
    generation,
    llama_cpp,
    model_source,
    plan_diff,
    proof_age,
)
from llamarig.tasks.facts.generation import Generation, GenerationState
from llamarig.tasks.facts.generation_files import FolderState, GenerationFiles
from llamarig.tasks.facts.live_server import LiveState
from llamarig.tasks.facts.service_unit import ServiceUnit
from llamarig.tasks.facts.systemd_version import SystemdVersion

STAGE = "not deployed, `llamarig up` would stage it"


@dataclass(frozen=True)
class Asked:
    """What the settings ask for, rendered with the live generation's number so that the two can be
    compared; what is not known before a deploy is taken from the live one.

    release: None while it is not known. model: the file's name. sha256: of the file that is
    pinned, or of the one that is there; None while neither is known. there: the verified file
    lies on the host.
    """

    rendered: generation.Rendered
    release: str | None
    model: str
    sha256: str | None
    there: bool


def read(settings: Settings, known: GenerationState, live: LiveState) -> list[str]:
    """All drift of the current host, which has a live generation; a line each."""
    current = known.live
    as_root = bool(host.data.get("_sudo"))
    unit = host.get_fact(ServiceUnit, _sudo=as_root)
    lines = running(known, live)
    if current is not None:
        found = host.get_fact(GenerationFiles, number=current.number, _sudo=as_root)
        asked = ask(settings, current)
        same = agrees(current, asked)
        lines = of_settings(current, found, asked) + lines
        lines += by_hand.edited(current, found, asked.rendered if same else None)
        lines += by_hand.unit(unit)
        stale = proof_age.stale(current, settings)
        lines += [f"{stale}; `llamarig up` proves it anew"] if stale else []
    return lines


def ask(settings: Settings, current: Generation) -> Asked:
    """What the settings ask of the current host."""
    release, found = llama_cpp.release_id(settings), model_source.record(settings)
    pinned = model_source.pins(settings)["sha256"]
    served = current.manifest["model"]
    sha256 = found.sha256 if found else pinned
    rendered = generation.render(
        settings,
        current.number,
        release or current.manifest["release"],
        found.path if found else served["path"],
        str(sha256 or served["sha256"]),
        systemd=host.get_fact(SystemdVersion),
    )
    name = model_source.name(settings)
    return Asked(rendered, release, name, str(sha256) if sha256 else None, found is not None)


def agrees(current: Generation, asked: Asked) -> bool:
    """Whether the settings ask for the generation that is current."""
    return asked.rendered.digest == current.digest


def of_settings(current: Generation, found: FolderState, asked: Asked) -> list[str]:
    """Lines for what the settings ask for beyond what is deployed."""
    served = current.manifest["model"]
    lines = []
    if asked.release is None:
        lines.append("which release the settings ask for is known once `llamarig up` resolved it")
    if asked.model != served["file"] or asked.sha256 not in (None, served["sha256"]):
        lines.append(f"model {served['file']} -> {_model(served, asked)}; {STAGE}")
    elif not asked.there:
        lines.append(
            f"no record says that {served['path']} is as it was verified; `llamarig models verify` "
            "reads all of it, `llamarig up` does what is needed"
        )
    if asked.release not in (None, current.manifest["release"]):
        lines.append(f"release {current.manifest['release']} -> {asked.release}; {STAGE}")
    if agrees(current, asked):
        return lines
    words = different(found, asked.rendered)
    if words:
        lines.append(f"{plan_diff.some(words)}; {STAGE}")
    elif not lines:
        lines.append(f"the settings, or this llamarig, ask for another generation; {STAGE}")
    return lines


def _model(served: dict[str, str], asked: Asked) -> str:
    if asked.model != served["file"]:
        return asked.model
    return f"another file of that name (sha256 {str(asked.sha256)[:12]}…)"


def different(found: FolderState, rendered: generation.Rendered) -> list[str]:
    """What differs between the files on the host and those rendered, `-c 8192 -> 16384`: of the
    service, then of the servers that a proof starts what that does not say already."""
    said: list[str] = []
    for name in generation.UNITS:
        if name in found.files:
            pair = plan_diff.readable(found.files[name]), plan_diff.readable(rendered.files[name])
            said += [each for each in plan_diff.changes(*pair) if each not in said]
    return said + _proof_inputs(found.files.get("recipe.json", ""), rendered.files["recipe.json"])


def _proof_inputs(before: str, after: str) -> list[str]:
    """What a proof rests on and no unit says."""
    try:
        old, new = json.loads(before), json.loads(after)
    except ValueError:
        return []
    lines = []
    if old.get("tokens") != new["tokens"]:
        lines.append(f"proof_tokens {old.get('tokens')} -> {new['tokens']}")
    if old.get("prompts") != new["prompts"]:
        lines.append("other prompts in proof_suite")
    return lines


def running(known: GenerationState, live: LiveState) -> list[str]:
    """Lines for what runs beside what `current` names, and for damaged files."""
    lines = [f"{each}; `llamarig up` makes another" for each in known.damaged]
    if known.unfinished:
        lines.append("a switch was cut off and nobody saw it end; `llamarig up` settles it")
    if live.active == "active" and live.generation != known.current:
        runs = f"generation {live.generation}" if live.generation else "something else"
        names = f"generation {known.current}" if known.current else "nothing"
        lines.append(f"{runs} runs while current names {names}; `llamarig up` puts that right")
    if live.replaced:
        lines.append("the model's file was replaced since it was loaded; `llamarig up` restarts it")
    if live.reload:
        lines.append(
            "the unit on disk is not what systemd has read; on the host: systemctl daemon-reload, "
            "then a restart"
        )
    return lines
