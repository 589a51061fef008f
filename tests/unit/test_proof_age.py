"""A proof tells of one card under one driver and one power limit."""

from __future__ import annotations

from typing import Any

import pytest

from llamarig.tasks.facts.nvidia_smi import SmiCard
from llamarig.tasks.proof_age import changed

THEN = {"name": "RTX 4090", "uuid": "GPU-1", "driver": "580.1", "power_limit_w": 450.0}


def card(**changes: Any) -> SmiCard:
    known: dict[str, Any] = {
        "name": "RTX 4090", "uuid": "GPU-1", "bus_id": "01", "driver_version": "580.1",
        "power_limit_w": 450.0, "temperature_c": 40,
    }  # fmt: skip
    return SmiCard(**{**known, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"driver_version": "590.2"}, "the driver was 580.1 when this was proven and is 590.2 now"),
        ({"power_limit_w": 300.0}, "the power limit was 450.0 when this was proven and is 300.0"),
        ({"uuid": "GPU-2"}, "the card was GPU-1"),
        ({"name": "RTX 3090"}, "the card was RTX 4090"),
    ],
)
def test_what_changed_is_named(changes: dict[str, Any], words: str) -> None:
    assert str(changed({"context": {"card": THEN}}, card(**changes))).startswith(words)


@pytest.mark.parametrize(
    ("proof", "now"),
    [
        ({"context": {"card": THEN}}, card(temperature_c=80)),
        ({"context": {"card": THEN}}, None),
        ({"context": {"card": None}}, card()),
        ({"verdict": "pass"}, card()),
        (None, card()),
    ],
)
def test_warmth_and_what_is_not_known_are_no_change(proof: Any, now: SmiCard | None) -> None:
    assert changed(proof, now) is None
