"""Hosts that have a file give it: a job on each holder, which ends by itself when every taker is
complete, or none was there for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.api.command import FileUploadCommand, StringCommand
from pyinfra.api.host import Host
from pyinfra.context import state

from llamarig import connection
from llamarig.display import say
from llamarig.paths import JOBS
from llamarig.settings import Settings
from llamarig.tasks import fan_out, others
from llamarig.tasks.facts.own_address import OwnAddress
from llamarig.tasks.operations import jobs

MIB = 2**20
# More givers make nothing faster: takers give to each other.
MOST_GIVERS = 3
IDLE_SECONDS = 30
# Until the first taker comes: other holders may take longer to read their file.
PATIENCE_SECONDS = 120
# A holder reads all of the file first, 16.8 GB from a slow disk.
START_SECONDS = 600.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
WAIT_SECONDS = 0.5
# One port for all of them: a host gives one thing at a time.
KINDS = ("sharemodel", "sharerelease")


@dataclass(frozen=True)
class Payload:
    """What is given: kind (model or release), a name for its jobs, seconds that it may take.

    file: asks a holder, as root, for the file's path and the sha256 that it must have, None: that
    holder can't. before: stages of the holder's job that make the file. last_words: an argv for
    the holder, when its job is over.
    """

    kind: str
    name: str
    limit_s: int
    file: Callable[[Host], tuple[str, str] | None]
    before: list[jobs.Stage] = field(default_factory=list)
    last_words: list[str] = field(default_factory=list)

    @property
    def job(self) -> str:
        """The name of a holder's job."""
        return f"share{self.kind}-{self.name}"


@dataclass
class Offer:
    """givers, takers: name to address; torrent: the file's metadata in base64; sha256: 64 hex."""

    takers: dict[str, str]
    givers: dict[str, str]
    torrent: str
    sha256: str


# By the thing, its name, and by how often an offer came to nothing.
_offers: dict[tuple[str, str, int], Offer | None] = {}
_offering: dict[str, BoundedSemaphore] = {}


def ends(settings: Settings, own: str, everybody: dict[str, str]) -> dict[str, Any]:
    limit = settings.fan_out_limit_mib
    return {
        "address": own,
        "port": settings.fan_out_port,
        "peers": [each for each in everybody.values() if each != own],
        "rate_limit": int(limit * MIB) if limit else None,
    }


def offer(key: str, payload: Payload, settings: Settings) -> Offer | None:
    """Have the thing's holders give it, once for all takers; None where none of them can."""
    this = (key, payload.name, fan_out.thing(key).offers)
    with _offering.setdefault(key, BoundedSemaphore(1)):
        if this not in _offers:
            _offers[this] = _offer(key, payload, settings)
        return _offers[this]


def _offer(key: str, payload: Payload, settings: Settings) -> Offer | None:
    names = (fan_out.thing(key).holders or [])[:MOST_GIVERS]
    givers = [each for each in state.inventory if each.name in names]
    takers = fan_out.takers(key)
    begun = {
        each.name: gevent.spawn(
            others.at, each, lambda there: _give(there, payload, settings, takers),
            START_SECONDS,
        )
        for each in givers
    }  # fmt: skip
    answers = {name: greenlet.get() for name, greenlet in begun.items()}
    found: Offer | None = None
    fan_out.thing(key).useless.update(name for name, answer in answers.items() if answer is None)
    for name, answer in answers.items():
        if answer and found is None:
            found = Offer(takers, {name: answer.address}, answer.torrent, answer.sha256)
        elif answer and found and answer.sha256 == found.sha256:
            found.givers[name] = answer.address
    return found


@dataclass(frozen=True)
class _Giver:
    address: str
    torrent: str
    sha256: str


def _give(
    there: Host, payload: Payload, settings: Settings, takers: dict[str, str]
) -> _Giver | None:
    """Start the job on a holder and wait until it has read its file."""
    ok, lines = connection.run(there, OwnAddress().command())
    own, file = OwnAddress().process(lines) if ok else None, payload.file(there)
    if own is None or file is None:
        return None
    path, sha256 = file
    folder = f"{JOBS}/{payload.job}"
    torrent = f"{folder}/torrent"
    config = {
        **ends(settings, own, takers),
        "file": path, "sha256": sha256, "torrent": torrent, "idle_seconds": IDLE_SECONDS,
        "patience_seconds": PATIENCE_SECONDS,
    }  # fmt: skip
    share = ["/usr/bin/python3", jobs.program(), "share", f"{folder}/share.json"]
    spec = jobs.Spec(
        name=payload.job, title=f"give {payload.name} to {len(takers)} hosts", unit="hosts",
        stages=[*payload.before, jobs.Stage("share", share, payload.limit_s, ENVIRONMENT)],
        files={"share.json": json.dumps(config, indent=2)}, nice=5, instead_of=KINDS,
        last_words=payload.last_words,
    )  # fmt: skip
    for command in jobs.launch(spec):
        if not _run(there, command):
            return None
    metadata = _metadata(there, spec, torrent)
    return _Giver(own, metadata, sha256) if metadata else None


def _run(there: Host, command: object) -> bool:
    """One command of an operation, on a host that the operation is not for."""
    as_root = bool(there.data.get("_sudo"))
    if isinstance(command, FileUploadCommand):
        return bool(there.put_file(command.src, command.dest, _sudo=as_root))
    assert isinstance(command, StringCommand)
    ok, _ = there.run_shell_command(command, _sudo=as_root, **command.connector_arguments)
    return bool(ok)


def _metadata(there: Host, spec: jobs.Spec, torrent: str) -> str | None:
    """The file's metadata in base64, as soon as the holder has read all of it."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if lines := others.answer(there, f"base64 -w0 {torrent} 2>/dev/null"):
            return "".join(lines)
        now = jobs.poll(there, spec.name)
        if now.over:
            say(there.name, f"fan_out: {now.message or 'it gives nothing'}")
            return None
        gevent.sleep(WAIT_SECONDS)
    return None


def given(found: Offer, payload: Payload) -> bool:
    """Whether a holder's job still runs."""
    givers = [each for each in state.inventory if each.name in found.givers]
    return any(
        others.at(each, lambda there: not jobs.poll(there, payload.job).over) for each in givers
    )
