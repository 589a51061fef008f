"""Which hosts a rollout takes when: canaries, then waves. Arithmetic on names alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llamarig.errors import UserError
from llamarig.settings import Settings


@dataclass(frozen=True)
class Limits:
    """canary: hosts that go first, alone; batch: hosts of a wave, a count or a share ("25%") of
    the run's hosts; max_failures: hosts of waves that may fail before the rest is left alone."""

    canary: int = 1
    batch: int | str = "25%"
    max_failures: int = 0


def limits(
    settings: Mapping[str, Settings],
    canary: int | None = None,
    batch: int | str | None = None,
    max_failures: int | None = None,
) -> Limits:
    """What the command line asks for, else what all hosts' settings say.

    Raises:
        UserError: hosts differ in what the command line doesn't say, a line for each setting.
    """
    asked = {"canary": canary, "batch": batch, "max_failures": max_failures}
    chosen: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    lines: list[str] = []
    for key in asked.keys() - chosen.keys():
        said: dict[int | str, str] = {}
        for name, of in settings.items():
            said.setdefault(getattr(of, f"rollout_{key}"), name)
        if len(said) > 1:
            hosts = ", ".join(f"{name} {value}" for value, name in said.items())
            option = f"--{key.replace('_', '-')}"
            lines.append(f"rollout_{key}: hosts differ ({hosts}): say it once, or with {option}")
        elif said:
            (chosen[key],) = said
    if lines:
        raise UserError("\n".join(sorted(lines)))
    return Limits(**chosen)


def share(text: str) -> int | str:
    """What --batch says: a count, or a share as it stands.

    Raises:
        ValueError: it is neither.
    """
    if re.fullmatch(r"[1-9]\d{0,3}", text):
        return int(text)
    if re.fullmatch(r"([1-9]\d?|100)%", text):
        return text
    raise ValueError('a count or a share such as "25%" expected')


def size(batch: int | str, total: int) -> int:
    """Hosts of a wave. batch: a count, or a share of `total` hosts, rounded up; at least 1."""
    if isinstance(batch, int):
        return max(1, batch)
    return max(1, -(-total * int(batch.removesuffix("%")) // 100))


def split(names: Sequence[str], canary: int) -> tuple[list[str], list[str]]:
    """The canaries and the others, both in their order."""
    return list(names[:canary]), list(names[canary:])


def waves(names: Sequence[str], each: int) -> list[list[str]]:
    """The names in their order, `each` of them at a time; the last wave has what is left."""
    return [list(names[first : first + each]) for first in range(0, len(names), each)]
