"""The model file that a host has, as its download recorded it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

_READ = """
import json, os, sys
record = json.load(open(sys.argv[1]))
try:
    stat = os.stat(record["path"])
    seen = [stat.st_size, stat.st_ino, stat.st_mtime_ns]
except OSError:
    seen = []
record["untouched"] = seen == [record["size"], record["inode"], record["mtime_ns"]]
print(json.dumps(record))
"""


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
    """The record at `record`, compared with the file it speaks of; None before the download."""

    def command(self, record: str) -> str:
        path = shlex.quote(record)
        return f"if [ -f {path} ]; then python3 -c {shlex.quote(_READ)} {path}; fi"

    def process(self, output: list[str]) -> ModelRecord:
        try:
            found = json.loads("\n".join(output))
            return ModelRecord(
                path=found["path"],
                revision=found["revision"],
                sha256=found["sha256"],
                size=found["size"],
                nextn_predict_layers=found["nextn_predict_layers"],
                untouched=found["untouched"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise FactProcessError(f"the model's record is not readable: {error}") from None
