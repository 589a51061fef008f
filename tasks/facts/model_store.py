"""All model files below HF_HOME on a host, and who needs them."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import GENERATIONS, MODELS

# A file that a process has open or mapped is in use, whatever else is known of it.
_LIST = r"""
import fcntl, glob, json, os, subprocess, sys, time
home, generations, records = sys.argv[1:4]
real_home = os.path.realpath(home) + "/"
opened = set()
for process in glob.glob("/proc/[0-9]*"):
    try:
        found = [os.readlink(each) for each in glob.glob(process + "/fd/*")]
        with open(process + "/maps", errors="replace") as maps:
            found += [line.rstrip("\n").split(None, 5)[-1] for line in maps]
    except OSError:
        continue
    opened.update(each for each in found if each.startswith(real_home))

def locked(path):
    try:
        with open(path + ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False

def entry(path):
    real = os.path.realpath(path)
    inside = [os.path.join(path, each) for each in os.listdir(path)] if os.path.isdir(path) else []
    stats = [os.lstat(each) for each in [real, *inside]]
    reals = {real, *map(os.path.realpath, inside)}
    return {"path": path, "real": real, "size": sum(each.st_blocks * 512 for each in stats),
            "modified": max(each.st_mtime for each in stats),
            "busy": bool(reals & opened) or locked(path)}

def entries(*pattern):
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(home), *pattern))):
        try:
            found.append(entry(path))
        except OSError:
            continue
    return found

links = []
for folder, _, names in os.walk(os.path.join(home, "hub")):
    if "/snapshots/" in folder + "/":
        for path in (os.path.join(folder, each) for each in names):
            if os.path.islink(path):
                links.append([path, os.path.normpath(os.path.join(folder, os.readlink(path)))])
known = []
for path in sorted(glob.glob(records + "/*.json")):
    try:
        with open(path) as file:
            record = json.load(file)
        known.append([path, record.get("repo"), os.path.realpath(record["path"])])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        continue
units = subprocess.run(["systemctl", "list-units", "--plain", "--no-legend",
                        "--state=active,activating,deactivating", "llamarig-fetch-*"],
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
used = [os.path.realpath(each) for each in glob.glob(generations + "/*/*") if os.path.islink(each)]
print(json.dumps({
    "now": time.time(), "fetching": bool(units.strip()), "used": sorted(used), "links": links,
    "records": known, "blobs": entries("hub", "models--*", "blobs", "*"), "shared":
    os.path.join(real_home, "hub", "blobs") + "/", "ours": entries("llamarig", "*.partial") +
    entries("llamarig", "*.lan") + entries("llamarig", "incoming-*")}))
"""


@dataclass(frozen=True)
class StoredFile:
    """real: the path without links; size: bytes on the disk; modified: epoch seconds.

    busy: a process has it open or mapped, or a download holds its lock.
    """

    path: str
    real: str
    size: int
    modified: float
    busy: bool = False

    @property
    def folder(self) -> str:
        """A blob's repository, as the folder `models--OWNER--NAME`."""
        return self.path.rsplit("/blobs/", 1)[0]


@dataclass(frozen=True)
class StoredRecord:
    """A record of ours: its own path, the repository (None: from no hub), the file's real path."""

    path: str
    repo: str | None
    real: str


@dataclass(frozen=True)
class StoreState:
    """blobs: of the hub's cache; ours: unfinished files beside it; links: snapshot and
    the blob it names; used: real paths that generations link to; fetching: a download runs;
    shared: the folder that the hub's client keeps the bytes in where blobs are links (Xet)."""

    now: float
    blobs: tuple[StoredFile, ...] = ()
    ours: tuple[StoredFile, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    records: tuple[StoredRecord, ...] = ()
    used: frozenset[str] = frozenset()
    fetching: bool = False
    shared: str = "/nonexistent/"


class ModelStore(FactBase[StoreState | None]):
    """What lies below `hf_home`; None where the host has no Python, so nothing of ours."""

    def command(self, hf_home: str, generations: str = GENERATIONS, records: str = MODELS) -> str:
        words = shlex.join([_LIST, hf_home, generations, records])
        return f"if command -v python3 >/dev/null; then python3 -c {words}; fi"

    def process(self, output: list[str]) -> StoreState:
        try:
            return _state(json.loads("\n".join(output)))
        except (ValueError, KeyError, TypeError) as error:
            raise FactProcessError(f"the models' list is not readable: {error}") from None


def _state(found: dict[str, Any]) -> StoreState:
    return StoreState(
        now=found["now"],
        blobs=tuple(StoredFile(**each) for each in found["blobs"]),
        ours=tuple(StoredFile(**each) for each in found["ours"]),
        links=tuple((path, target) for path, target in found["links"]),
        records=tuple(StoredRecord(*each) for each in found["records"]),
        used=frozenset(found["used"]),
        fetching=found["fetching"],
        shared=found["shared"],
    )
