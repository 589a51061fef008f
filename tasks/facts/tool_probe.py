"""The shell program that asks the operator's sessions for their tools; tools.py reads what it says.

It runs under any sh, needs nothing but coreutils, sed and grep, and is bounded: 5 s and 300 bytes a
program, 30 s a session, stdin closed.
"""

from __future__ import annotations

import shlex

TOOLS = ("cmake", "gcc", "g++", "nvcc", "python3", "git", "ninja")
VARIABLES = ("VIRTUAL_ENV", "CONDA_PREFIX")
SESSION_SECONDS = 30

# One session's tools. Our own helpers come from the system's folders, since they may be shimmed
# too. Fields are parted by tabs; newlines of an answer become tabs, its status comes last. Of a
# program's first bytes only a shim's signs are kept: a wrapper script may hold a secret.
PROBE = r"""
theirs=$PATH; PATH=/usr/bin:/bin; export PATH; unset LLAMARIG_PROBE; set -f; IFS=:
signs='asdf-plugin:|exec [^ ]*(asdf|mise|pyenv)"?|PYENV_'
flat() { LC_ALL=C tr '\n' "$1" | LC_ALL=C tr -cd '[:print:]\t'; }
echo
for name in @variables@; do
    value=$(printenv "$name") && printf '@llamarig-variable\t%s\t%s\t%s\n' "$1" "$name" "$value"
done
for tool in @tools@; do
    seen=
    for folder in $theirs; do
        path=${folder:-.}/$tool
        [ -f "$path" ] && [ -x "$path" ] || continue
        target=$(readlink -f "$path")
        case "$seen" in *":$target:"*) continue ;; esac
        seen="$seen:$target:"
        conda=-
        for place in "$path" "$target"; do
            [ -d "${place%/*}/../conda-meta" ] && conda=conda
        done
        printf '@llamarig-hit\t%s\t%s\t%s\t%s\t%s\t' "$1" "$tool" "$path" "$target" "$conda"
        head -c 256 "$path" 2>/dev/null | LC_ALL=C grep -aoE "$signs" | flat ' '
        printf '\t'
        exec 3>&1
        status=$({ {
            env PATH="$theirs" /usr/bin/timeout -k 1 5 "$path" --version </dev/null 2>&1 3>&- 4>&-
            echo $? >&4
        } | { head -c 300; cat >/dev/null; } | flat '\t' >&3; } 4>&1)
        printf '\tstatus %s\n' "$status"
    done
done
printf '@llamarig-done\t%s\n' "$1"
"""

# `sed` ends with the session, even where a login shell leaves something running in it.
COMMAND = r"""
session() {
    name=$1; shift
    { /usr/bin/timeout -k 1 @seconds@ "$@" </dev/null 2>/dev/null
        printf '\n@llamarig-end\t%s\t%s\n' "$name" "$?"
    } | /bin/sed -n '/^@llamarig-/p; /^@llamarig-end/q'
}
session plain /bin/sh -c "$LLAMARIG_PROBE" sh plain
inner='exec /bin/sh -c "$LLAMARIG_PROBE" sh login'
answer=$(session login "${SHELL:-/bin/bash}" -lc "$inner")
case "$answer" in
    *@llamarig-done*login* | *@llamarig-end*login*124 | *@llamarig-end*login*137) ;;
    *) answer=$(session login /bin/bash -lc "$inner") ;;
esac
printf '%s\n' "$answer"
"""


def command() -> str:
    """Both sessions, one after the other."""
    probe = PROBE.replace("@variables@", " ".join(VARIABLES)).replace("@tools@", " ".join(TOOLS))
    # The login shell may be any: the program reaches it in a variable, unread by its syntax.
    given = f"export LLAMARIG_PROBE={shlex.quote(probe)}"
    return given + COMMAND.replace("@seconds@", str(SESSION_SECONDS))
