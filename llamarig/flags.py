"""Which flags of a command line a llama-server knows, by its own `--help`.

llama.cpp's flags drift from month to month, so the binary is asked and no table: only where a
flag is gone does a table help to name its successor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# What took the place of flags that builds before b11434 had; read in its common/arg.cpp.
_SUCCESSORS = {
    "--draft": "--spec-draft-n-max",
    "--draft-n": "--spec-draft-n-max",
    "--draft-max": "--spec-draft-n-max",
    "--draft-min": "--spec-draft-n-min",
    "--draft-n-min": "--spec-draft-n-min",
    # One flag with a value for all of them; read in ggml-org/llama.cpp's pull request 28334.
    "--mlock": "--load-mode mlock",
    "--mmap": "--load-mode mmap",
    "--no-mmap": "--load-mode none",
    "-dio": "--load-mode dio",
    "--direct-io": "--load-mode dio",
}
# Flags of llama-cli that recipes on the web carry; a server has no conversation of its own.
_OF_LLAMA_CLI = ("-cnv", "--conversation", "-no-cnv", "--no-conversation", "-st", "--single-turn")
# Values that were renamed: b11434 ends with `unknown speculative type: mtp`.
_VALUE_SUCCESSORS = {("--spec-type", "mtp"): "draft-mtp"}
_REMOVED = re.compile(r"the argument has been removed\.?\s*(.*)", re.DOTALL)

_NAME = r"-{1,2}[A-Za-z0-9][\w.-]*"
_FIRST_LINE = re.compile(rf"^({_NAME}(?:,\s+{_NAME})*)(?: (\S.*?))?(?:\s{{2,}}(.*))?$")
_LIST = re.compile(r"[a-z0-9][\w-]*(?:,[a-z0-9][\w-]*)+")
_ALLOWED = re.compile(r"allowed values: (\w+(?:,\s+\w+)*)")


@dataclass
class Flag:
    """One entry of `--help`. hint: how its values are shown, empty where it takes none."""

    names: tuple[str, ...]
    hint: str
    text: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> int:
        """How many words after it are its own."""
        if not self.hint:
            return 0
        return 2 if re.fullmatch(r"[A-Z]+ [A-Z]+", self.hint) else 1

    @property
    def removed(self) -> str | None:
        """What the binary says of a flag that it lists only to refuse it; else None."""
        found = _REMOVED.search(" ".join(self.text))
        return None if found is None else found[1].strip()

    @property
    def values(self) -> tuple[str, ...] | None:
        """The values it takes where the help lists them, else None."""
        if _LIST.fullmatch(self.hint):
            return tuple(self.hint.split(","))
        found = _ALLOWED.search(" ".join(self.text))
        return tuple(re.split(r",\s+", found[1])) if found else None


def known(help_text: str) -> dict[str, Flag]:
    """Every flag that a `--help` lists, by each of its names."""
    flags: dict[str, Flag] = {}
    last: Flag | None = None
    for line in help_text.splitlines():
        found = _FIRST_LINE.match(line)
        if found:
            last = Flag(tuple(re.split(r",\s+", found[1])), found[2] or "")
            flags.update(dict.fromkeys(last.names, last))
            if found[3]:
                last.text.append(found[3])
        elif last is not None and line.startswith(" "):
            last.text.append(line.strip())
        else:
            last = None  # a heading
    return flags


def missing(argv: list[str], help_text: str) -> list[str]:
    """One line per flag, or value of a flag, that the binary would refuse.

    argv: the command line, with or without the program in front. help_text: all of `--help`.
    """
    flags = known(help_text)
    if not flags:
        return ["the binary's --help lists no flags at all"]
    lines = []
    words = iter(argv)
    for word in words:
        if not re.match(_NAME, word) or _is_number(word):
            continue
        flag = flags.get(_spelt(word))
        if flag is None or flag.removed is not None:
            lines.append(_gone(word, flag))
        if flag is not None:
            values = [next(words, "") for _ in range(flag.arguments)]
            lines += _refused(word, flag, values)
    return lines


def _is_number(word: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", word) is not None


def _spelt(word: str) -> str:
    """llama.cpp reads `--cache_type_k` as `--cache-type-k`."""
    return word.replace("_", "-") if word.startswith("--") else word


def _gone(word: str, flag: Flag | None) -> str:
    if successor := _SUCCESSORS.get(_spelt(word)):
        return f"{word}: this build has it no more; use {successor}"
    if word in _OF_LLAMA_CLI:
        return f"{word}: this build has no such flag; it is llama-cli's, leave it out"
    said = flag.removed if flag else None
    if said:
        return f"{word}: this build has it no more; {said}"
    return f"{word}: this build has no such flag; leave it out"


def _refused(word: str, flag: Flag, values: list[str]) -> list[str]:
    """Values that the help does not list; several may be given at once, with commas."""
    if flag.values is None or not values:
        return []
    lines = []
    for value in values[0].split(","):
        if value not in flag.values:
            successor = _VALUE_SUCCESSORS.get((_spelt(word), value))
            mend = successor or f"one of {', '.join(flag.values)}"
            lines.append(f"{word} {value}: this build has no such value; use {mend}")
    return lines
