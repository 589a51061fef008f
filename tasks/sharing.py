"""Hosts that have a file give it to those that lack it: a job on each holder, known to the takers.

The holders' job ends by itself when every taker is complete, or none was there for a while.
"""

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
from pyinfra.context import host, state

from llamarig import connection
from llamarig.paths import JOBS
from llamarig.settings import Settings
from llamarig.tasks import fan_out, others
from llamarig.tasks.facts.own_address import OwnAddress
from llamarig.tasks.operations import jobs

MIB = 2**20
# More givers make nothing faster: takers give to each other.
MOST_GIVERS = 3
IDLE_SECONDS = 30
STALL_SECONDS = 30
LINGER_SECONDS = 2
# A holder reads all of the file first, 16.8 GB from a slow disk.
START_SECONDS = 600.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
PACKAGE = "python3-libtorrent"
WAIT_SECONDS = 0.5
# One port for all of them: a host gives one thing at a time.
KINDS = ("sharemodel", "sharerelease")


@dataclass(frozen=True)
class Payload:
    """What is given: kind (model or release), a name for its jobs, sha256, seconds it may take."""

    kind: str
    name: str
    sha256: str
    limit_s: int


@dataclass
class Offer:
    """givers, takers: name to address; torrent: the file's metadata in base64."""

    takers: dict[str, str]
    givers: dict[str, str] = field(default_factory=dict)
    torrent: str = ""


_offers: dict[str, Offer | None] = {}
_offering: dict[str, BoundedSemaphore] = {}


def _ends(settings: Settings, own: str, everybody: dict[str, str]) -> dict[str, Any]:
    limit = settings.fan_out_limit_mib
    return {
        "address": own,
        "port": settings.fan_out_port,
        "peers": [each for each in everybody.values() if each != own],
        "rate_limit": int(limit * MIB) if limit else None,
    }


def offer(
    key: str, payload: Payload, settings: Settings, file: Callable[[Host], str | None]
) -> Offer | None:
    """Have the thing's holders give it, once per run; None where none of them can.

    file: has the holder make the file ready, as root, and says its path; None: it can't.
    """
    with _offering.setdefault(key, BoundedSemaphore(1)):
        if key not in _offers:
            _offers[key] = _offer(key, payload, settings, file)
        return _offers[key]


def _offer(
    key: str, payload: Payload, settings: Settings, file: Callable[[Host], str | None]
) -> Offer | None:
    names = (fan_out.thing(key).holders or [])[:MOST_GIVERS]
    givers = [each for each in state.inventory if each.name in names]
    takers = fan_out.takers(key)
    begun = {
        each.name: gevent.spawn(
            others.at, each, lambda there: _give(there, payload, settings, takers, file),
            START_SECONDS,
        )
        for each in givers
    }  # fmt: skip
    found = Offer(takers)
    for name, greenlet in begun.items():
        if answer := greenlet.get():
            found.givers[name], found.torrent = answer
    return found if found.givers else None


def _give(
    there: Host, payload: Payload, settings: Settings, takers: dict[str, str],
    file: Callable[[Host], str | None],
) -> tuple[str, str] | None:  # fmt: skip
    """Start the job on a holder; its address and the metadata."""
    ok, lines = connection.run(there, OwnAddress().command())
    own, path = OwnAddress().process(lines) if ok else None, file(there)
    if own is None or path is None:
        return None
    name = f"share{payload.kind}-{payload.name}"
    folder = f"{JOBS}/{name}"
    torrent = f"{folder}/torrent"
    config = {
        **_ends(settings, own, takers),
        "file": path, "sha256": payload.sha256, "torrent": torrent, "idle_seconds": IDLE_SECONDS,
    }  # fmt: skip
    share = ["/usr/bin/python3", jobs.program(), "share", f"{folder}/share.json"]
    spec = jobs.Spec(
        name=name, title=f"give {payload.name} to {len(takers)} hosts", unit="hosts",
        stages=[jobs.Stage("share", share, payload.limit_s, ENVIRONMENT)],
        files={"share.json": json.dumps(config, indent=2)}, nice=5, instead_of=KINDS,
    )  # fmt: skip
    for command in jobs.launch(spec):
        if not _run(there, command):
            return None
    return _metadata(there, spec, own, torrent)


def _run(there: Host, command: object) -> bool:
    """One command of an operation, on a host that the operation is not for."""
    as_root = bool(there.data.get("_sudo"))
    if isinstance(command, FileUploadCommand):
        return bool(there.put_file(command.src, command.dest, _sudo=as_root))
    assert isinstance(command, StringCommand)
    ok, _ = there.run_shell_command(command, _sudo=as_root, **command.connector_arguments)
    return bool(ok)


def _metadata(there: Host, spec: jobs.Spec, own: str, torrent: str) -> tuple[str, str] | None:
    """Wait until the holder has read its file."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if jobs.poll(there, spec.name).over:
            return None
        lines = others.answer(there, f"base64 -w0 {torrent} 2>/dev/null")
        if lines:
            return own, "".join(lines)
        gevent.sleep(WAIT_SECONDS)
    return None


def take(found: Offer, settings: Settings, target: str, spare: int) -> str:
    """What the on-host program `take` is told on the current host: a JSON text.

    target: where the whole file ends up; spare: bytes that stay free on its disk.
    """
    own = found.takers[host.name]
    return json.dumps(
        {
            **_ends(settings, own, {**found.givers, **found.takers}),
            "target": target, "torrent": found.torrent, "spare_bytes": spare,
            "stall_seconds": STALL_SECONDS, "linger_seconds": LINGER_SECONDS,
            "slice": [list(found.takers).index(host.name), len(found.takers)],
        },
        indent=2,
    )  # fmt: skip
