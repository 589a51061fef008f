"""The generations of a host: what was staged, what was proven, what is current."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import CURRENT, GENERATIONS, PREVIOUS, TRANSACTION

_SHOW = (
    "for d in $(ls -1 {folder} 2>/dev/null | grep -x '[0-9]*' | sort -n); do "
    'printf \'{{"number": %s, "manifest": \' "$d"; '
    "cat {folder}/$d/manifest.json 2>/dev/null || printf null; "
    "printf ', \"proof\": '; cat {folder}/$d/proof.json 2>/dev/null || printf null; "
    "printf '}}\\n'; done | tr '\\n' ' ' | sed 's/}} *{{\"number\"/}},{{\"number\"/g'"
)


@dataclass(frozen=True)
class Generation:
    """One generation; proof is None until one was attempted."""

    number: int
    digest: str
    manifest: dict[str, Any]
    proof: dict[str, Any] | None

    @property
    def proven(self) -> bool:
        return self.proof is not None and self.proof.get("verdict") == "pass"

    @property
    def kept(self) -> bool:
        """Below the gate, and serving all the same because on_gate_fail said so."""
        return self.proof is not None and bool(self.proof.get("kept"))


@dataclass(frozen=True)
class GenerationState:
    """All generations in order, and the numbers that `current` (None: nothing is live) and
    `previous` name. unfinished: a switch was cut off, and nobody saw `current` answer."""

    current: int | None = None
    previous: int | None = None
    unfinished: bool = False
    all: list[Generation] = field(default_factory=list)

    def number(self, wanted: int | None) -> Generation | None:
        return next((each for each in self.all if each.number == wanted), None)

    @property
    def live(self) -> Generation | None:
        return self.number(self.current)

    def candidate(self, digest: str) -> Generation | None:
        """The newest generation with this digest."""
        return next((each for each in reversed(self.all) if each.digest == digest), None)

    @property
    def next_number(self) -> int:
        return 1 + max((each.number for each in self.all), default=0)


class Generations(FactBase[GenerationState]):
    """Read from the host alone: it is the truth about what it serves."""

    @staticmethod
    def default() -> GenerationState:
        return GenerationState()

    def command(self) -> str:
        links = " ".join(
            f"$(readlink {link} 2>/dev/null | sed 's|.*/||' | grep . || echo -)"
            for link in (CURRENT, PREVIOUS)
        )
        switch = f"$(test -e {TRANSACTION} && echo unfinished)"
        return f'echo {links} {switch}; echo "[$({_SHOW.format(folder=GENERATIONS)})]"'

    def process(self, output: list[str]) -> GenerationState:
        try:
            found = json.loads("\n".join(output[1:]))
            current, previous, *switch = output[0].split()
            return GenerationState(
                _number(current),
                _number(previous),
                bool(switch),
                [_generation(each) for each in found if each["manifest"] is not None],
            )
        except (ValueError, KeyError, IndexError) as error:
            raise FactProcessError(f"the generations are not readable: {error}") from None


def _number(word: str) -> int | None:
    return None if word == "-" else int(word)


def _generation(found: dict[str, Any]) -> Generation:
    manifest = found["manifest"]
    return Generation(found["number"], manifest["digest"], manifest, found["proof"])
