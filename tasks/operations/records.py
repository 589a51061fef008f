"""What was made outside of llamarig's own folders, written down on the host before it is made, so
that `llamarig down --purge` takes away that and nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pyinfra.api.command import StringCommand

from llamarig.paths import PACKAGES

# usage: RECORD LINE…: add the lines that are missing. A power cut leaves the old record or the new.
_NOTE = """
record=$1
shift
mkdir -p "$(dirname "$record")"
{ cat "$record" 2>/dev/null; printf '%s\\n' "$@"; } | sed '/^$/d' | sort -u >"$record.new" &&
    sync "$record.new" && mv -fT "$record.new" "$record"
"""

# usage: RECORD NAME…: what apt would install for these that is not there in any version. Where apt
# knows no such package there is nothing to write down, and installing says so.
_NOTE_PACKAGES = (
    """
into=$1
shift
new=$(LC_ALL=C apt-get -s -q --no-install-recommends install "$@" 2>/dev/null |
    awk '$1 == "Inst" && $3 !~ /^\\[/ { print $2 }')
set -- "$into" $new
"""
    + _NOTE
)


def _script(text: str, *words: str) -> StringCommand:
    return StringCommand(shlex.join(["sh", "-c", text, "sh", *words]))


def noted(path: str, lines: Sequence[str]) -> StringCommand:
    """Have these lines in the record at `path` (part of an operation)."""
    return _script(_NOTE, path, *lines)


def packages_noted(names: Sequence[str]) -> StringCommand:
    """Have in the record of packages what apt is about to install for these names, without
    recommended ones but with all that they depend on (part of an operation)."""
    return _script(_NOTE_PACKAGES, PACKAGES, *names)
