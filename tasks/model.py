"""The model: on the data disk by a detached job, every byte verified, with MTP heads."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state
from pyinfra.operations import files

from llamarig import report
from llamarig.errors import UserError
from llamarig.paths import JOBS
from llamarig.settings import Settings
from llamarig.tasks import (
    fan_out,
    model_choice,
    model_copy,
    model_hosts,
    model_job,
    model_source,
    sharing,
    site,
    toolchain,
)
from llamarig.tasks.facts.model_file import ModelRecord
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.operations import jobs, made_folders
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step

# Hosts that get the file from the hub in this run.
_from_outside: set[str] = set()
PACKAGES = {
    "hub": ["ca-certificates", "curl", "python3", "python3-venv"],
    "incoming": ["python3"],
    "path": ["python3"],
}


@step("Model")
def begin() -> None:
    """Start the download, detached; it runs beside the build. A copy from this machine is done
    here, since it needs this machine."""
    settings = site.settings()
    source = model_job.source(settings)
    shared = model_hosts.shared(settings)
    more = [sharing.PACKAGE] if shared else []
    toolchain.packages([*PACKAGES[source], *more], "Install Python")
    if shared and model_source.record(settings) is None:
        fan_out.lack(model_hosts.key(settings))
    if source != "path":
        made_folders.noted(
            name="Write down new folders", paths=[settings.hf_home, f"{settings.hf_home}/hub"]
        )
        files.directory(name="Make HF_HOME", path=settings.hf_home, mode="755")
    if source == "incoming":
        copy(name="Copy the model", settings=settings)
    title = "Start the download" if source == "hub" else "Start verifying the model"
    download(name=title, settings=settings)


@step("Model")
def await_() -> None:
    """Wait for the bytes; see that they are the right ones and that they hold MTP heads."""
    arrive(name="Verify the model", settings=site.settings())


@operation()
def copy(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Send the file from this machine, unless the host has it."""
    if model_source.record(settings) is not None:
        host.noop(f"{settings.model_file} is there, verified and untouched")
        return
    yield from model_copy.send(settings)


@operation()
def download(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Start the job unless the verified file is there."""
    if model_source.record(settings) is not None:
        host.noop(f"{model_source.name(settings)} is there, verified and untouched")
        return
    maker = model_hosts.maker(settings)
    if maker is not None:
        host.noop(f"taken from {maker or 'a host that has it'}, when it is there")
        return
    yield from _from_hub(settings)


def _from_hub(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Start the hub's job, or join it."""
    report.record(host.name, model_from=model_job.source(settings))
    if state.is_executing:
        _from_outside.add(host.name)
    try:
        spec = model_job.spec(settings)
    except ValueError as error:
        yield failure(str(error))
        return
    # Pinned before the first byte: a run that is killed goes on with the same file, even if the
    # branch moves meanwhile, and so does every other host.
    if state.is_executing and (problem := _written_down(settings, model_source.known(settings))):
        yield failure(problem)
        return
    told = host.get_fact(TextFile, path=f"{JOBS}/{spec.name}/fetch.json")
    if told == spec.files["fetch.json"]:
        yield from jobs.start(spec)
    else:  # none runs, or one that was told something else: a pin that was updated, another mirror
        yield from jobs.launch(spec)


@operation()
def arrive(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Wait for the bytes, then judge what came."""
    if state.is_executing:
        with fan_out.making(model_hosts.key(settings)):
            yield from _arrive(settings)


def _arrive(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    found, reason = model_source.record(settings), None
    if found is None:
        reason = yield from _bring(settings)
        found = model_source.record(settings) if reason is None else None
    if found is None:
        changed = f"model: {model_source.name(settings)} changed right after it was verified"
        yield failure(reason or changed)
        return
    _report(settings, found)
    pin = {} if settings.model_path else model_source.pin(found)
    if pin:
        model_source.saw(settings, pin)
    # Also of a file that is refused below: no other host has to fetch it to learn that.
    fan_out.made(model_hosts.key(settings))
    if settings.spec_type != "none" and found.nextn_predict_layers == 0:
        yield failure(model_source.no_heads(settings))
        return
    # What came is held: the next host, and the next run, get the same bytes.
    if problem := _written_down(settings, pin):
        yield failure(problem)


def _bring(settings: Settings) -> Generator[PyinfraCommand, None, str | None]:
    """Wait for the file, from where it comes to this host; one line that says why it did not."""
    if model_hosts.shared(settings) and host.name not in _from_outside:
        if (yield from model_hosts.bring(settings)):
            report.record(host.name, model_from="hosts")
            return None
        yield from _from_hub(settings)
    return jobs.wait(model_job.spec(settings), settings.download_timeout_minutes * 60)


def _report(settings: Settings, found: ModelRecord) -> None:
    report.record(
        host.name,
        model={
            "file": model_source.name(settings),
            "path": found.path,
            "sha256": found.sha256,
            "revision": found.revision,
            "size": found.size,
        },
    )


def _written_down(settings: Settings, pin: Mapping[str, Any]) -> str | None:
    """Hold a choice and a pin in llamarig.lock; the line that says why that can't be."""
    try:
        model_choice.write_down()
        if pin:
            model_source.write_down(settings, dict(pin))
    except UserError as error:
        return str(error)
    return None
