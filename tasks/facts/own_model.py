"""Whether a file that is on the host already, setting model_path, can be served."""

from __future__ import annotations

import shlex

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.display import plain

# The path, then what was found. Only a regular file is opened: a FIFO would never answer. A mode
# whose last digit is odd lets others search a folder; root can search all, so bits are read.
_LOOK = r"""
LC_ALL=C; export LC_ALL; path=$1
tell() { printf '%s\n' "$path" "$@"; exit 0; }
kind=error; [ ! -L "$path" ] || kind=link
said=$(stat -L -c %a -- "$path" 2>&1) || tell "$kind" "${said##*: }"
[ ! -d "$path" ] || tell folder
[ -f "$path" ] || tell odd
case $said in *[4567]) ;; *) tell closed o+r "$path" ;; esac
real=$(readlink -f -- "$path"; echo .); real=${real%??}
for at in "$path" "$real"; do
    while [ -n "$at" ]; do
        at=${at%/*}
        mode=$(stat -L -c %a -- "${at:-/}" 2>/dev/null)
        case $mode in *[1357]) ;; *) tell closed o+x "${at:-/}" ;; esac
    done
done
said=$(head -c 4 -- "$path" 2>&1 >/dev/null) || tell error "${said##*: }"
tell magic "$(head -c 4 -- "$path" | od -An -tx1)"
"""

_GGUF = b"GGUF"
_ABSENT = "No such file or directory"


class OwnModel(FactBase[str | None]):
    """What keeps the file at `path` from being served, as one line; None: nothing that a look at
    its first bytes and at modes tells. The words are those of the job that verifies it."""

    def command(self, path: str) -> str:
        return shlex.join(["sh", "-c", _LOOK, "sh", path])

    def process(self, output: list[str]) -> str | None:
        try:
            path, kind, *rest = output
            fault = _fault(path, kind, rest)
        except (ValueError, IndexError):
            raise FactProcessError(f"model_path: not what a look at it says: {output!r}") from None
        return plain(f"model_path: {fault}") if fault else None


def _fault(path: str, kind: str, rest: list[str]) -> str | None:
    """What is wrong with the file.

    Raises:
        ValueError, IndexError: the look can't have said this.
    """
    if kind in ("error", "link"):
        if rest[0] != _ABSENT:
            return f"{path}: {rest[0]}"
        broken = " (a link that leads nowhere)" if kind == "link" else ""
        return f"there is no file {path} on this host{broken}"
    if kind == "folder":
        return f"{path} is a folder; name the GGUF file in it"
    if kind == "odd":
        return f"{path} is no regular file"
    if kind == "closed":
        # A folder's name may hold line ends.
        place = "\n".join(rest[1:])
        return f"the server's user can't read {path}; run: chmod {rest[0]} {place}"
    if kind != "magic":
        raise ValueError(kind)
    return _magic_fault(path.rsplit("/", 1)[-1], bytes.fromhex(" ".join(rest)))


def _magic_fault(file: str, first: bytes) -> str | None:
    if first == _GGUF:
        return None
    if not first:
        return f"{file}: the file is empty"
    if _GGUF.startswith(first):
        return f"{file}: the header is cut off; the file is incomplete"
    return f"{file}: not a GGUF file"
