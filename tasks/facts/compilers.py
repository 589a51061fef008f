"""The distribution's own cmake and C++ compilers, by their absolute paths."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class CompilerState:
    """cmake: version of /usr/bin/cmake, empty where it is absent or does not run.

    gcc: major version -> path of the g++ of that version (/usr/bin/g++-12; the default one's real
    path where it has no such name). default: major version of /usr/bin/g++.
    """

    cmake: tuple[int, ...] = ()
    gcc: dict[int, str] = field(default_factory=dict)
    default: int | None = None


class Compilers(FactBase[CompilerState]):
    """Each is asked for its version, bounded to 10 s and 200 bytes, with stdin closed."""

    @staticmethod
    def default() -> CompilerState:
        return CompilerState()

    def command(self) -> str:
        return (
            'echo "cmake $(timeout 10 /usr/bin/cmake --version </dev/null 2>/dev/null | '
            'head -c 200 | head -n 1)"; '
            "for each in /usr/bin/g++ /usr/bin/g++-[0-9]*; do "
            '[ -x "$each" ] || continue; '
            'echo "g++ $each $(readlink -f "$each") '
            '$(timeout 10 "$each" -dumpversion </dev/null 2>/dev/null | head -c 200)"; done'
        )

    def process(self, output: list[str]) -> CompilerState:
        cmake: tuple[int, ...] = ()
        gcc: dict[int, str] = {}
        default: tuple[int, str] | None = None
        for line in output:
            words = line.split()
            if found := re.match(r"cmake cmake version (\d+(?:\.\d+)+)", line):
                cmake = tuple(int(part) for part in found[1].split("."))
            elif len(words) == 4 and words[0] == "g++" and (major := _major(words[3])):
                if words[1] == "/usr/bin/g++":
                    default = major, words[2]
                else:
                    gcc[major] = words[1]
        if default:
            gcc.setdefault(*default)
        return CompilerState(cmake, gcc, default[0] if default else None)


def _major(text: str) -> int | None:
    """12 of "12" or "12.2.0"; None for what is no version."""
    found = re.fullmatch(r"(\d+)(\.\d+)*", text)
    return int(found[1]) if found else None
