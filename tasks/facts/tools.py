"""Which build tools the operator's sessions find, and which of them are shims.

A shim is a small program of a version manager that stands in for the real one: `cmake` of asdf
exits 126 where no version is set. It depends on PATH, so on how the operator came in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pyinfra.api.facts import FactBase

from llamarig.tasks.facts import tool_probe

# A login shell prints what it likes; our lines begin with this.
MARK = "@llamarig-"


@dataclass(frozen=True)
class ToolHit:
    """A program that a session finds by its name.

    session: login or plain (a command over ssh). target: the path without its links. kind:
    program, or whose shim it is: asdf, mise, pyenv, conda, snap. status: exit status of
    `--version`, 124 after 5 s. version: the line of its answer that names one, else the first.
    """

    tool: str
    session: str
    path: str
    target: str
    kind: str
    status: int
    version: str


@dataclass(frozen=True)
class ToolsState:
    """hits: per session and tool in the order of PATH. variables: "login VIRTUAL_ENV" -> value.
    hung: sessions that did not come to an end in time, whose tools are unknown."""

    hits: list[ToolHit] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    hung: tuple[str, ...] = ()


class Tools(FactBase[ToolsState]):
    """Asked as the operator, never with sudo: root's PATH is another one."""

    @staticmethod
    def default() -> ToolsState:
        return ToolsState()

    def command(self) -> str:
        return tool_probe.command()

    def process(self, output: list[str]) -> ToolsState:
        hits: list[ToolHit] = []
        variables: dict[str, str] = {}
        done: set[str] = set()
        ended: list[str] = []
        for line in output:
            if not line.startswith(MARK):
                continue
            what, *fields = line.removeprefix(MARK).split("\t")
            if what == "hit" and (hit := _hit(fields)):
                hits.append(hit)
            elif what == "variable" and len(fields) == 3:
                variables[f"{fields[0]} {fields[1]}"] = fields[2]
            elif what == "done" and fields:
                done.add(fields[0])
            elif what == "end" and fields:
                ended.append(fields[0])
        return ToolsState(hits, variables, tuple(name for name in ended if name not in done))


def _hit(fields: list[str]) -> ToolHit | None:
    """None for a line that was cut when the session ran out of time."""
    status = re.fullmatch(r"status (\d+)", fields[-1]) if len(fields) > 6 else None
    if not status:
        return None
    session, tool, path, target, conda, signs = fields[:6]
    answer = [line.strip() for line in fields[6:-1] if line.strip()]
    kind = _kind(path, target, conda == "conda", signs)
    return ToolHit(tool, session, path, target, kind, int(status[1]), _version(answer))


def _kind(path: str, target: str, in_conda: bool, signs: str) -> str:
    """Whose shim it is, by where its links end and by the signs in its first 256 bytes."""
    end = PurePosixPath(target).name
    if path.startswith("/snap/") or target.startswith("/snap/") or end == "snap":
        return "snap"
    if end == "mise" or "mise" in signs:
        return "mise"
    if "asdf" in signs:
        return "asdf"
    if "pyenv" in signs.lower():
        return "pyenv"
    return "conda" if in_conda else "program"


def _version(answer: list[str]) -> str:
    """nvcc names its release on the fourth line, all others on the first."""
    release = next((line for line in answer if re.search(r"\brelease \d+\.\d+", line)), None)
    return release or (answer[0] if answer else "")
