"""Builds of llama.cpp that are known not to work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.builds import known_bad
from llamarig.tasks.findings.finding import Finding, Rule, blocker

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation


def known_bad_build(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A build that would compile for half an hour and then not load the model."""
    if reason := known_bad(settings.llama_cpp_tag):
        yield blocker(
            "llama_cpp_tag", f"{settings.llama_cpp_tag}: {reason}", "set llama_cpp_tag to another"
        )


RULES: tuple[Rule, ...] = (known_bad_build,)
