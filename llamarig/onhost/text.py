"""Whether an answer is text at all: a broken build or a bad card repeats one sign for ever."""

from __future__ import annotations

# A failing kernel's output on record is `////…`; longer periods are what small models do too.
LONGEST_PERIOD = 4
SHORTEST_TEXT = 24


def garbage(text: str) -> str | None:
    """What is wrong with an answer's text, None if it may be one."""
    text = text.strip()
    if not text:
        return "an empty answer"
    if "�" in text and text.count("�") * 4 > len(text):
        return "bytes that are no text"
    if len(text) >= SHORTEST_TEXT:
        for period in range(1, LONGEST_PERIOD + 1):
            if text[period:] == text[:-period]:
                return f"{text[:period]!r} over and over"
    return None
