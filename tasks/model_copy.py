"""The model from this machine, for hosts without a way out: copied over the SSH connection.

The login user may write only into a folder that root makes for it; when all bytes are there, root
takes the file over as the partial file of the job `fetch`, which verifies and places it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator
from pathlib import Path

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.context import host, state

from llamarig import display, hashes, sftp
from llamarig.errors import UserError
from llamarig.onhost.hub_cache import Place, no_room
from llamarig.settings import Settings
from llamarig.tasks import model_local, model_room, model_source
from llamarig.tasks.facts.disk import Disk
from llamarig.tasks.facts.model_partial import PartialState
from llamarig.tasks.facts.privilege import Privilege
from llamarig.tasks.operations.outcome import failure

GIB = 2**30

# One host hashes the file, the others take its answer.
_hashing = BoundedSemaphore(1)


def controller_file(settings: Settings) -> Path:
    """The file on this machine that hosts get.

    Raises:
        UserError: it is not there, or not readable.
    """
    revision = model_source.pins(settings)["revision"]
    return model_local.local_file(settings, str(revision) if revision else None)


def send(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have all bytes in the host's partial file (part of an operation)."""
    if not state.is_executing:
        yield StringCommand("true  # copied from this machine when the run gets there")
        return
    try:
        path = controller_file(settings)
        what = model_local.pinned(settings, path, model_source.pins(settings), _hash(path))
    except UserError as error:
        yield failure(str(error))
        return
    except OSError as error:
        yield failure(f"model_local_file: {error.filename}: {error.strerror}")
        return
    model_source.saw(settings, what)
    place = Place(
        settings.hf_home, settings.model_repo, settings.model_file,
        what["revision"], what["sha256"], what["size"],
    )  # fmt: skip
    yield from _bring(settings, path, place)


def _hash(path: Path) -> str:
    """sha256 of the file. It gives way at every step: the lock's heartbeat must go on."""

    def progress(done: int, total: int) -> None:
        display.progress(host.name, f"hash {path.name}", "read here", done, total, "bytes")
        gevent.sleep(0)

    with _hashing:
        try:
            return hashes.sha256(path, progress)
        finally:
            display.over(host.name)


def _bring(settings: Settings, path: Path, place: Place) -> Generator[PyinfraCommand, None, None]:
    incoming = model_room.incoming(settings, place)
    folder = os.path.dirname(incoming)
    there = model_room.there(settings, place)
    if there is None:
        yield failure(f"hf_home: the host does not say what lies in {settings.hf_home}")
        return
    if place.size in (there.blob, there.partial):
        host.noop(f"{settings.model_file} is there, yet to be verified")
        return
    if problem := _no_room(settings, place, there):
        yield failure(problem)
        return
    privilege = host.get_fact(Privilege, _sudo=False)
    if privilege is None:
        yield failure("the host does not say who we are on it")
        return
    yield StringCommand(opened(folder, incoming, privilege.user))
    if problem := _upload(path, incoming):
        yield failure(problem)
        return
    yield StringCommand(taken_over(folder, incoming, place.partial))


def opened(folder: str, incoming: str, user: str) -> str:
    """The shell line by which root lets the login user write: the folder, and a file that a run
    left that was cut off while it took the file over."""
    name, file, owner = (shlex.quote(each) for each in (folder, incoming, user))
    return (
        f"install -d -m 755 {shlex.quote(os.path.dirname(folder))} && "
        f"install -d -m 700 -o {owner} {name} && "
        f"if [ -e {file} ]; then chown -h {owner} {file}; fi"
    )


def taken_over(folder: str, incoming: str, partial: str) -> str:
    """The shell line by which root makes the sent file its own. A link is refused: what it leads
    to would become root's."""
    name, source, target = (shlex.quote(each) for each in (folder, incoming, partial))
    return (
        f"chown root:root {name} && test -f {source} && test ! -L {source} && "
        f"chown root:root {source} && chmod 600 {source} && "
        f"mv -fT {source} {target} && rmdir {name}"
    )


def _no_room(settings: Settings, place: Place, there: PartialState) -> str | None:
    disk = host.get_fact(Disk, path=settings.hf_home)
    if disk is None:
        return f"hf_home: the host does not say where {settings.hf_home} lies"
    return no_room(place, there.allocated, int(settings.min_free_gib * GIB), disk.path.free)


def _upload(path: Path, remote: str) -> str | None:
    """Send the file, going on where an earlier try ended; the line that says why it did not."""
    client = getattr(host.connector, "client", None)
    if client is None:
        return (
            f"model_from: {host.name} is this machine, so nothing is copied; set model_path to "
            f"{path}"
        )

    def progress(done: int, total: int) -> None:
        display.progress(host.name, f"copy {path.name}", "send", done, total, "bytes")
        gevent.sleep(0)

    try:
        with client.open_sftp() as session:
            sftp.append(session, path, remote, progress)
    except sftp.Broken as broken:
        return _broken(path, broken)
    except sftp.LOST as error:
        return f"copy {path.name}: no SFTP with the host ({error or type(error).__name__})"
    finally:
        display.over(host.name)
    return None


def _broken(path: Path, broken: sftp.Broken) -> str:
    # All that SFTP says of a disk that is full, as of much else.
    why = "the host can't write (is its disk full?)" if str(broken) == "Failure" else str(broken)
    kept = "what arrived" if broken.done is None else f"{broken.done / GIB:.2f} GiB"
    return f"copy {path.name}: {why}; {kept} stays there, run the same command again to go on"
