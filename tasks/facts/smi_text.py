"""Reading what nvidia-smi prints: sections, CSV rows, fields, and the texts of its failures."""

from __future__ import annotations

import re

# The first that occurs names the failure: a lost card's text also has "device handle" in it.
FAILURES = (
    ("GPU is lost", "gpu-lost"),
    ("Unable to determine the device handle", "no-handle"),
    ("Driver/library version mismatch", "library-mismatch"),
    ("couldn't communicate with the NVIDIA driver", "no-driver"),
    ("Driver Not Loaded", "no-driver"),
    ("No devices were found", "no-devices"),
)


def sections(output: list[str]) -> dict[str, list[str]]:
    """The lines under each `== name`."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in filter(str.strip, output):
        if line.startswith("== "):
            lines = found.setdefault(line.removeprefix("== "), [])
        else:
            lines.append(line.strip())
    return found


def failure(lines: list[str]) -> tuple[str, str]:
    """The failure's name and the line that says it; two empty texts when all is well."""
    for text, name in FAILURES:
        if said := [line for line in lines if text in line]:
            return name, said[0]
    if "exit 0" in lines:
        return "", ""
    if "exit 124" in lines or "exit 137" in lines:
        return "other", "no answer within 20 s"
    return "other", lines[0] if lines else "no answer"


def rows(lines: list[str], fields: int) -> list[list[str]]:
    """The CSV rows among them; the last field may hold commas of its own."""
    split = [[part.strip() for part in line.split(",", fields - 1)] for line in lines]
    return [row for row in split if len(row) == fields]


def is_uuid(text: str) -> bool:
    return text.startswith("GPU-")


def number(text: str) -> float | None:
    """None for `[N/A]`, `[Not Supported]` and whatever else is no number."""
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def whole(text: str) -> int | None:
    """The same for a number without a fraction."""
    return int(text) if text.isdigit() else None


def switch(text: str) -> bool | None:
    """Enabled or Disabled; None where the card has no such switch."""
    return {"Enabled": True, "Disabled": False}.get(text)
