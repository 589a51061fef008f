"""What a measurement found, prompt by prompt: below the table of a smoke test."""

from __future__ import annotations

from typing import Any

from llamarig.cli import table

HEAD = ["prompt", "class", "baseline t/s", "MTP t/s", "speedup", "acceptance", "length"]


def rows(record: dict[str, Any]) -> list[list[str]]:
    """A line per prompt and one for all of them; the head first."""
    found = [
        [prompt, str(each["class"]), *_figures(each)]
        for prompt, each in (record.get("per_prompt") or {}).items()
    ]
    return [HEAD, *found, ["overall", "", *_figures(record)]]


def _figures(each: dict[str, Any]) -> list[str]:
    return [
        table.number(each.get("baseline_tps"), ".1f"),
        table.number(each.get("mtp_tps"), ".1f"),
        table.ratio(each.get("speedup"), each.get("interval")),
        table.number(each.get("acceptance"), ".0%"),
        table.number(each.get("acceptance_length"), ".2f"),
    ]


def notes(record: dict[str, Any]) -> list[str]:
    """The lines below: time a token, prefill, loading, what was thrown away."""
    lines = []
    if ms := record.get("ms_per_token"):
        lines.append(f"{ms['baseline']:.1f} -> {ms['mtp']:.1f} ms a token")
    prefill, loss = record.get("prefill_tps") or {}, record.get("prefill_loss")
    if loss is not None:
        change = f"{loss:.0%} slower" if loss >= 0 else f"{-loss:.0%} faster"
        lines.append(
            f"prefill {prefill['baseline']:.0f} -> {prefill['mtp']:.0f} t/s, {change} with MTP"
        )
    if loads := record.get("load_seconds"):
        each = ", ".join(f"{arm} {max(seconds):.1f} s" for arm, seconds in sorted(loads.items()))
        lines.append(f"loading took at most {each}")
    if disturbed := record.get("disturbed_rounds"):
        causes = record.get("disturbances") or {}
        said = ", ".join(f"{name} {count}" for name, count in sorted(causes.items()) if count)
        lines.append(f"{disturbed} rounds were thrown away ({said}), {record['rounds']} counted")
    equal = record.get("answers_equal")
    if equal is not None:
        lines.append(f"greedy answers {'equal' if equal else 'differ'} between the arms")
    return lines


def show(name: str, record: dict[str, Any]) -> None:
    """Print a host's measurement; nothing where nothing was measured."""
    if not record.get("per_prompt"):
        return
    print(f"\n{name}:")
    table.columns([["", *row] for row in rows(record)])
    for line in notes(record):
        print(f"  {line}")
