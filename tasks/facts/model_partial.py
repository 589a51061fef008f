"""How much of a model's bytes a host has before they are verified."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.onhost.take import growing

# stat follows a blob that is a link, as the hub's client makes them with Xet.
_SIZES = """
if [ -e {suspect} ]; then echo 0; else stat -L -c %s {blob} 2>/dev/null || echo 0; fi
for f in {partial} {incoming}; do stat -L -c %s "$f" 2>/dev/null || echo 0; done
sent=$(stat -c %b {incoming} 2>/dev/null || echo 0)
echo $(( (sent + $(stat -c %b {growing} 2>/dev/null || echo 0)) * 512 ))
"""


@dataclass(frozen=True)
class PartialState:
    """Bytes of the placed blob (0 if it was found wrong), of our partial file and of what a
    controller sent; 0: not there.

    allocated: bytes that what was sent, by the controller or by other hosts, takes up on the disk.
    """

    blob: int
    partial: int
    incoming: int
    allocated: int


class ModelPartial(FactBase[PartialState | None]):
    """The sizes of three paths; suspect: the file that says that the blob is wrong."""

    def command(self, blob: str, suspect: str, partial: str, incoming: str) -> str:
        paths = {"blob": blob, "suspect": suspect, "partial": partial, "incoming": incoming,
                 "growing": growing(partial)}  # fmt: skip
        return _SIZES.format(**{name: shlex.quote(path) for name, path in paths.items()}).strip()

    def process(self, output: list[str]) -> PartialState:
        if len(output) != 4 or not all(each.isdigit() for each in output):
            raise FactProcessError(f"four numbers expected about the model, got {output!r}")
        return PartialState(*(int(each) for each in output))
