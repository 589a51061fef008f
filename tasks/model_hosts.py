"""A model that another host of the site has, or is to have: taken from there."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.host import Host
from pyinfra.context import host, state

from llamarig.settings import Settings
from llamarig.tasks import fan_out, giving, model_job, model_source, others, sharing, site
from llamarig.tasks.facts.model_file import ModelFile, ModelRecord


def shared(settings: Settings) -> bool:
    """Whether hosts of the site get the file from each other."""
    return fan_out.applies(settings) and model_job.source(settings) == "hub"


def key(settings: Settings) -> str:
    return f"model {model_source.identity(settings)}"


def maker(settings: Settings) -> str | None:
    """Who downloads it, where the current host does not: another host's name, or "" where some
    host has it already. None: the current host does, or nobody shares."""
    if not shared(settings):
        return None
    fan_out.find(key(settings), lambda: _holders(settings))
    found = fan_out.maker(key(settings))
    return None if found == host.name else (found or "")


def _holders(settings: Settings) -> list[str]:
    """Hosts of the site that have the file, verified, untouched and as it is pinned."""
    wanted = model_source.identity(settings)
    asked = [each for each in state.inventory if _same(each, wanted)]
    answers = others.ask(asked, ModelFile().command(record=model_source.record_path(settings)))
    records = {name: _record(answer) for name, answer in answers.items()}
    pinned, found = model_source.pins(settings)["sha256"], []
    for name, record in records.items():
        if record is None or not record.untouched or (pinned and record.sha256 != pinned):
            continue
        if pinned is None:
            pinned = record.sha256
        model_source.saw(settings, model_source.pin(record))
        found.append(name)
    return found


def _same(other: Host, identity: str) -> bool:
    of = site.settings_of(other.name)
    return of is not None and shared(of) and model_source.identity(of) == identity


def _record(answer: list[str] | None) -> ModelRecord | None:
    try:
        return ModelFile().process(answer) if answer else None
    except FactProcessError:
        return None


def bring(settings: Settings) -> Generator[PyinfraCommand, None, bool]:
    """Have the file come from another host and be verified; False where it has to come from the
    hub (part of an operation)."""
    payload = giving.Payload(
        "model", model_source.identity(settings), settings.download_timeout_minutes * 60,
        lambda there: _file(there, settings),
    )  # fmt: skip
    return (
        yield from sharing.bring(
            key(settings), "it gets the model", lambda: _holders(settings), payload, settings,
            lambda found: model_job.spec_from_hosts(settings, found),
        )
    )  # fmt: skip


def _file(there: Host, settings: Settings) -> tuple[str, str] | None:
    command = ModelFile().command(record=model_source.record_path(settings))
    record = _record(others.answer(there, command))
    return (record.path, record.sha256) if record and record.untouched else None
