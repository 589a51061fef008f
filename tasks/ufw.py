"""Rules of ours in ufw, told from others' by their comment. Parts of operations."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.context import host

from llamarig.tasks.facts.ufw import COMMENT, Ufw

Admission = tuple[str, int]
UFW = "/usr/sbin/ufw"


def have(wanted: Iterable[Admission]) -> Generator[PyinfraCommand, None, None]:
    """Have rules for these (source, port) pairs, and no others of ours.

    What somebody else's rule admits already is left alone: ufw would put our comment on it.
    """
    known, wanted = host.get_fact(Ufw), set(wanted)
    present = {rule.plain for rule in known.rules}
    for source, port in sorted(wanted - present):
        yield StringCommand(f"{UFW} {_words(source, port)} comment '{COMMENT}'")
    for source, port in sorted(set(known.ours) - wanted):
        yield StringCommand(f"{UFW} delete {_words(source, port)}")


def gone() -> Generator[PyinfraCommand, None, None]:
    """Have no rule of ours."""
    yield from have([])


def _words(source: str, port: int) -> str:
    return f"allow from {source} to any port {port} proto tcp"
