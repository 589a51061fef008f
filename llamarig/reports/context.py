"""What a figure needs to be read: the machine, its card, what was measured, and what disturbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from llamarig.onhost.sample import CAUSES
from llamarig.reports.reading import items, mapping, moment, number, text

# Label, key of the card's object, unit.
CARD = (
    ("Driver", "driver", ""), ("Power limit", "power_limit_w", "W"),
    ("Power limit by default", "power_default_w", "W"), ("SM clock", "clock_sm_mhz", "MHz"),
    ("Memory clock", "clock_mem_mhz", "MHz"), ("Temperature", "temperature_c", "°C"),
    ("Memory", "memory_mib", "MiB"), ("UUID", "uuid", ""),
)  # fmt: skip
MACHINE = (("Processor", "cpu"), ("Cores", "cores"), ("Kernel", "kernel"), ("Governor", "governor"))
MEASURED = (
    ("Release", "release"), ("Model sha256", "model_sha256"), ("Suite", "suite"),
    ("Prompts' digest", "prompts_digest"),
)  # fmt: skip
MOST_RECIPE = 4000


def device(record: dict[str, Any]) -> str:
    """The card's name, without one the processor's."""
    found = mapping(record.get("context"))
    return text(mapping(found.get("card")).get("name"), 80) or text(found.get("cpu"), 80)


def recipe(record: dict[str, Any]) -> str:
    """The server's command line."""
    argv = items(mapping(record.get("context")).get("recipe"))
    return text(" ".join(text(word) for word in argv), MOST_RECIPE)


def lines(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Label and value of all that is known of the machine and of what was measured there."""
    return [(label, value) for label, value in _lines(record) if value]


def _lines(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    found = mapping(record.get("context"))
    card = mapping(found.get("card"))
    yield "Card", text(card.get("name"))
    for label, key, unit in CARD:
        value = text(card.get(key))
        yield label, f"{value} {unit}".strip() if value else ""
    yield "Throttle reasons", ", ".join(_throttled(record)) or ("none seen" if card else "")
    for label, key in MACHINE:
        yield label, text(found.get(key))
    for label, key in MEASURED:
        yield label, text(found.get(key))
    yield "llama-server", text(record.get("version"))
    yield "Generation", text(record.get("generation"))
    yield "Measured", moment(number(found.get("measured"))).strip("-")
    yield "Rounds", text(record.get("rounds"))
    yield "Greedy answers equal", _yes_or_no(record.get("answers_equal"))
    for arm, seconds in list(mapping(record.get("load_seconds")).items())[:40]:
        known = [each for each in map(number, items(seconds)) if each is not None]
        mean = f"{sum(known) / len(known):.1f} s on average" if known else ""
        yield f"Loading {text(arm, 20)}", mean


def _yes_or_no(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else ""


def _throttled(record: dict[str, Any]) -> list[str]:
    """Why the card held its clocks back, with the number of answers: `power brake (3)`."""
    seen: Counter[str] = Counter()
    for sample in map(mapping, items(record.get("samples"))):
        seen.update(filter(None, (text(each, 60) for each in items(sample.get("throttled"))[:20])))
    return [f"{reason} ({count})" for reason, count in seen.most_common(20)]


def disturbed(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Per cause: how many rounds, in words why, and which rounds where the samples say it."""
    counts = {cause: number(value) for cause, value in mapping(record.get("disturbances")).items()}
    return [
        (f"{count:.0f}", CAUSES.get(cause, text(cause, 60)), ", ".join(_rounds(record, cause)))
        for cause, count in list(counts.items())[:20]
        if count
    ]


def _rounds(record: dict[str, Any], cause: str) -> list[str]:
    found = {
        number(sample.get("round"))
        for sample in map(mapping, items(record.get("samples")))
        if cause in items(sample.get("disturbed"))
    }
    return [f"{each:.0f}" for each in sorted(each for each in found if each is not None)][:40]
