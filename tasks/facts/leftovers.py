"""Everything of llamarig's on a host, but for packages and accounts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files

from pyinfra.api.facts import FactBase

from llamarig.hub.token import FOLDER as SECRETS
from llamarig.paths import CACHE, CONFIG, LIVE_UNIT, ROOT, STATE

# The last is the one that says what else is llamarig's: it goes last.
OWN = (ROOT, CACHE, CONFIG, SECRETS, STATE)


@dataclass(frozen=True)
class Leftover:
    """One thing. kind: job, runtime (a unit's file in memory), service, link, unit, apt (a file),
    metrics (a file of the check's), folder, partial (unfinished downloads), model, or foreign: not
    llamarig's, so it stays.

    words: a unit's state, or why it is foreign; size: bytes on the disk, None where there are none.
    """

    kind: str
    name: str
    words: str = ""
    size: int | None = None


class Leftovers(FactBase[list[Leftover]]):
    """As root. homes: values of hf_home; models: paths of model files."""

    @staticmethod
    def default() -> list[Leftover]:
        return []

    def command(self, homes: Sequence[str], models: Sequence[str] = ()) -> str:
        text = package_files("llamarig.templates").joinpath("leftovers.sh").read_text()
        lists = ["\n".join(each) for each in (OWN, homes, models)]
        return shlex.join(["sh", "-c", text, "sh", ROOT, LIVE_UNIT, *lists])

    def process(self, output: list[str]) -> list[Leftover]:
        found = []
        for line in output:
            kind, _, rest = line.partition("\t")
            name, tab, more = rest.rpartition("\t")
            if not tab:
                continue
            sized = kind in ("folder", "partial", "model")
            size = int(more) * 1024 if sized and more.isdigit() else None
            found.append(Leftover(kind, name, "" if sized else more, size))
        return found
