"""What an entry of group_data/tuned.yaml may hold, and what is wrong with one that differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any

from annotated_types import Ge, Len
from pydantic import AllowInfNan, TypeAdapter, ValidationError

from llamarig.display import plain
from llamarig.faults import nearest, shown
from llamarig.settings import Settings
from llamarig.values import Sha256, allowed

KEYS = ("draft_n_max", "draft_p_min")
EVIDENCE = "evidence"
Number = Annotated[float, Ge(0), AllowInfNan(False)]
Text = str | None
# What a host's evidence may say, in words and as a type.
FORMS: dict[str, tuple[str, Any]] = {
    "speedup": ("a number", Number),
    "interval": ("two numbers", Annotated[list[Number], Len(2, 2)]),
    "tps": ("a number", Number),
    "baseline_tps": ("a number", Number),
    "card": ("text, or null without a card", Text),
    "driver": ("text in quotes, or null without a card", Text),
    "power_limit_w": ("a number, or null without a card", Number | None),
    "release": ("text", str),
    "model_sha256": ("64 lower-case hexadecimal digits in quotes", Sha256),
    "measured": ("a date", str | date),
    "tokens": ("a whole number", Annotated[int, Ge(0)]),
}


def _fits(form: Any, value: object) -> bool:
    try:
        TypeAdapter(form).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _setting_fault(key: str, value: object) -> str | None:
    field = Settings.model_fields[key]
    # The very limits of the setting: its type with what is asked of it.
    form: Any = Annotated.__class_getitem__((field.annotation, *field.metadata))  # type: ignore[attr-defined]
    return None if _fits(form, value) else f"found {shown(key, value)}, allowed: {allowed(field)}"


def label(key: object) -> str:
    """A key as a line may show it: YAML can put any character, and any type, into one."""
    return plain(key)[:80] if isinstance(key, str) else f"a key of type {type(key).__name__}"


def _unknown(key: object, known: Collection[str]) -> str:
    near = nearest(key, known) if isinstance(key, str) else None
    return (
        f"unknown key, nearest known: {near}" if near else f"unknown key, known: {', '.join(known)}"
    )


def faults(entry: object) -> list[str]:
    """What llamarig can't have written of a host."""
    if not isinstance(entry, dict):
        return [f"found a value of type {type(entry).__name__}, allowed: {', '.join(KEYS)}"]
    lines = []
    for key, value in entry.items():
        if key in KEYS:
            fault = _setting_fault(key, value)
            lines += [f"{key}: {fault}"] if fault else []
        elif key != EVIDENCE:
            lines.append(f"{label(key)}: {_unknown(key, (*KEYS, EVIDENCE))}")
        elif not isinstance(value, dict):
            lines.append(f"{EVIDENCE}: found a value of type {type(value).__name__}")
        else:
            lines += [f"{EVIDENCE}: {line}" for line in _evidence_faults(value)]
    return lines


def _evidence_faults(evidence: Mapping[object, object]) -> list[str]:
    lines = []
    for key, value in evidence.items():
        words, form = FORMS.get(str(key), ("", None))
        if form is None:
            lines.append(f"{label(key)}: {_unknown(key, FORMS)}")
        elif not _fits(form, value):
            lines.append(f"{key}: found {shown(str(key), value)}, allowed: {words}")
    return lines
