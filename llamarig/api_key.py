"""The site's API key, as far as it can be spoken of without knowing it: digests, who has which."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from llamarig.paths import API_KEY

# What fits into an HTTP header, in one piece.
FORM = re.compile(r"[\x21-\x7e]{1,512}")


def no_key(name: str) -> str:
    """The line for a host whose file holds what can't be sent in a request."""
    return (
        f"api_key: {API_KEY} of {name} holds something else than one line of printable characters "
        "without spaces; mend it there, or: llamarig key rotate INVENTORY"
    )


def groups(digests: Mapping[str, str | None]) -> list[list[str]]:
    """The hosts that have the same key together, most hosts first; those without one nowhere.
    digests: host to the SHA-256 of its key, None where it has none."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, digest in sorted(digests.items()):
        if digest is not None:
            found[digest].append(name)
    return sorted(found.values(), key=lambda names: (-len(names), names))


def disagreement(digests: Mapping[str, str | None]) -> str | None:
    """The line that names who has another key than the others; None when all agree."""
    first, *others = groups(digests) or [[]]
    if not others:
        return None
    have = f"{', '.join(first)} {'have' if len(first) > 1 else 'has'} one key"
    rest = ", ".join(f"{', '.join(names)} another" for names in others)
    return f"api_key: {have}, {rest}; llamarig key rotate INVENTORY gives all of them a new one"
