"""The model file that a host has, as its download recorded it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

# A record that is damaged or can't be read counts as none: the next run makes it anew.
_READ = """
import json, os, sys
KINDS = {"path": str, "revision": str, "sha256": str, "size": int, "nextn_predict_layers": int}
def look(file):
    with open(file, "rb") as opened:
        record = json.loads(opened.read().decode("utf-8"))
    found = {key: record[key] for key in KINDS}
    if any(type(found[key]) is not kind for key, kind in KINDS.items()):
        return
    wanted = [record["size"], record["inode"], record["mtime_ns"]]
    try:
        stat = os.stat(record["path"])
        found["untouched"] = [stat.st_size, stat.st_ino, stat.st_mtime_ns] == wanted
    except OSError:
        found["untouched"] = False
    print(json.dumps(found))
try:
    look(sys.argv[1])
except (OSError, ValueError, LookupError, TypeError, RecursionError):
    pass
"""
_KINDS = {
    "path": str,
    "revision": str,
    "sha256": str,
    "size": int,
    "nextn_predict_layers": int,
    "untouched": bool,
}


@dataclass(frozen=True)
class ModelRecord:
    """A verified file: path on the host, size in bytes, and what its header says.

    untouched: size, mtime and inode are still those that were hashed.
    """

    path: str
    revision: str
    sha256: str
    size: int
    nextn_predict_layers: int
    untouched: bool


class ModelFile(FactBase[ModelRecord | None]):
    """The record at `record`, compared with the file it speaks of; None before the download, and
    where the record is damaged."""

    def command(self, record: str) -> str:
        path = shlex.quote(record)
        there = f"[ -f {path} ] && command -v python3 >/dev/null"
        return f"if {there}; then python3 -c {shlex.quote(_READ)} {path}; fi"

    def process(self, output: list[str]) -> ModelRecord:
        try:
            return _record(json.loads("\n".join(output)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FactProcessError(f"the model's record is not readable: {error}") from None


def _record(found: dict[str, Any]) -> ModelRecord:
    for key, kind in _KINDS.items():
        if type(found[key]) is not kind:
            raise TypeError(f"{key} is of type {type(found[key]).__name__}")
    return ModelRecord(**{key: found[key] for key in _KINDS})
