"""The continuous check: a timer by which a host measures what it serves, while nobody uses it."""

from __future__ import annotations

import hashlib
import io
import shlex
from collections.abc import Generator

from pyinfra.api.command import FileUploadCommand, PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.onhost.bundle import build as build_bundle
from llamarig.paths import CONFIG, FOLDERS, LIB
from llamarig.settings import Settings
from llamarig.tasks import plan_diff
from llamarig.tasks.check_files import metrics_file, sha256, wanted
from llamarig.tasks.facts.check import (
    FILE,
    METRICS,
    TIMER,
    TIMER_PATH,
    UNIT,
    UNIT_PATH,
    Check,
    CheckState,
)
from llamarig.tasks.facts.folders import MissingFolders
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.operations import records

UP = "`llamarig up` puts that right"


@operation()
def timed(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have the timer and what it starts, as the settings ask; off: nothing of it."""
    files = wanted(settings)
    if not files:
        yield from _nothing()
        return
    name, program = build_bundle()
    place = f"{LIB}/{name}"
    known = host.get_fact(Check, more=(place,))
    yield from _told_to_node_exporter(known, settings)
    if known.files.get(place) != hashlib.sha256(program).hexdigest():
        yield StringCommand(f"install -d -m 755 {LIB}")
        yield FileUploadCommand(io.BytesIO(program), place)
    changed = [each for each in files if known.files.get(each) != sha256(files[each])]
    for each in changed:
        # What it is told may be longer than that fact reads.
        before = None if each == FILE else host.get_fact(TextFile, path=each)
        plan_diff.file(each, before, files[each])
        yield StringCommand(f"install -d -m 755 {CONFIG}")
        yield FileUploadCommand(io.StringIO(files[each]), each)
        yield StringCommand(f"chmod 644 {each}")
    if {UNIT_PATH, TIMER_PATH} & set(changed):
        yield StringCommand("systemctl daemon-reload")
    if not known.enabled:
        yield StringCommand(f"systemctl enable {TIMER}")
    if TIMER_PATH in changed or not known.active:
        yield StringCommand(f"systemctl restart {TIMER}")


def _told_to_node_exporter(
    known: CheckState, settings: Settings
) -> Generator[PyinfraCommand, None, None]:
    """Have the folder of the metrics, and written down which file they are in, so that it is found
    again whatever the settings say then. One that nobody writes any more goes."""
    path, folder = metrics_file(settings), settings.metrics_folder
    if known.metrics not in (None, path):
        yield StringCommand(f"rm -f {shlex.quote(str(known.metrics))} {METRICS}")
    if path is None or folder is None:
        return
    if missing := host.get_fact(MissingFolders, paths=(folder,)):
        yield records.noted(FOLDERS, missing)
        yield StringCommand(f"install -d -m 755 {folder}")
    if known.metrics != path:
        yield StringCommand(f"install -d -m 755 {CONFIG}")
        yield FileUploadCommand(io.StringIO(f"{path}\n"), METRICS)
        yield StringCommand(f"chmod 644 {METRICS}")


@operation()
def gone() -> Generator[PyinfraCommand, None, None]:
    """Have nothing of it, the metrics' file included."""
    yield from _nothing()


def _nothing() -> Generator[PyinfraCommand, None, None]:
    known = host.get_fact(Check)
    if not known.there:
        host.noop("no check by a timer")
        return
    yield StringCommand(
        f"systemctl disable --now {TIMER} 2>/dev/null; systemctl stop {UNIT} 2>/dev/null; "
        f"systemctl reset-failed {UNIT} {TIMER} 2>/dev/null; true"
    )
    if known.metrics:
        yield StringCommand(f"rm -f {shlex.quote(known.metrics)}")
    # What says where the metrics are goes after them.
    yield StringCommand(f"rm -f {UNIT_PATH} {TIMER_PATH} {FILE} {METRICS}")
    yield StringCommand("systemctl daemon-reload")


def drift(settings: Settings) -> list[str]:
    """Lines where the current host does not have what the settings ask for."""
    files = wanted(settings)
    known = host.get_fact(Check, more=())
    if not files:
        return ["check: its timer is there, though check is off; " + UP] if known.there else []
    missing = [each for each in (UNIT_PATH, TIMER_PATH, FILE) if each not in known.files]
    if missing:
        return [f"check: {', '.join(missing)} missing; {UP}"]
    if not (known.enabled and known.active):
        return [f"check: {TIMER} does not run; {UP}"]
    if any(known.files[each] != sha256(text) for each, text in files.items()):
        return [f"check: it is set up otherwise than the settings, or this llamarig, ask; {UP}"]
    return []
