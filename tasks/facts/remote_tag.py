"""The commit that a tag names at a git repository, as the host sees it."""

from __future__ import annotations

import re
import shlex

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


class RemoteTag(FactBase[str | None]):
    """40 hex digits; an annotated tag is followed to its commit. None where it is not there, the
    repository can't be reached, or the host has no git yet."""

    def command(self, url: str, tag: str) -> str:
        ref = shlex.quote(f"refs/tags/{tag}")
        peeled = shlex.quote(f"refs/tags/{tag}^{{}}")
        return f"timeout 60 git ls-remote {shlex.quote(url)} {ref} {peeled} </dev/null || true"

    def process(self, output: list[str]) -> str:
        commit = output[-1].split()[0] if output else ""
        if not re.fullmatch("[0-9a-f]{40}", commit):
            raise FactProcessError(f"git ls-remote answered {output!r}")
        return commit
