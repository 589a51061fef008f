"""Builds of llama.cpp that are known not to do what llamarig deploys them for, with the sources."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class KnownBad:
    """first, last: build numbers, both included. source: where it is told."""

    first: int
    last: int
    reason: str
    source: str

    def line(self) -> str:
        builds = f"b{self.first}" if self.first == self.last else f"b{self.first} to b{self.last}"
        return f"{builds}: {self.reason} ({self.source})"


# The place for the next one. A range ends where the fix was merged.
KNOWN_BAD = (
    KnownBad(
        10741,
        10748,
        "models with MTP heads do not load: "
        "GGML_ASSERT(hparams.n_layer_nextn < hparams.n_layer_all) failed",
        "llama.cpp #28159, reported in #28188 and #28197, mended by #28183",
    ),
)


def known_bad(tag: str) -> str | None:
    """Why nobody should deploy this tag, as one line; None where nothing is known against it.

    A tag that is no build (`master`, a fork's own) can't be judged.
    """
    if not re.fullmatch(r"b\d+", tag):
        return None
    number = int(tag[1:])
    for each in KNOWN_BAD:
        if each.first <= number <= each.last:
            return each.line()
    return None
