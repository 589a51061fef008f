"""A command's options in a run of pyinfra: they travel as --data, which makes numbers and lists of
what looks like JSON, and are checked again as they were typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def options(data: Mapping[str, Any], key: str, names: Iterable[str]) -> dict[str, str | None]:
    """Each option's text, None where it was not given. key: what its name begins with in data."""
    return {name: _text(data.get(key + name)) for name in names}


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return None if value is None else str(value)
