"""What would be written, as people compare it: unified diffs for `plan`, short words for `status`.

A unit's command is one long line, and every path in it names the generation. So both sides are
first made readable: a flag a line, and the old generation's number replaced by the new one's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from pyinfra.context import host, state

from llamarig import report
from llamarig.paths import GENERATIONS
from llamarig.settings import Settings
from llamarig.tasks import model_source
from llamarig.tasks.facts.generation import GenerationState
from llamarig.tasks.facts.generation_files import FolderState, GenerationFiles
from llamarig.tasks.generation import Rendered

MANIFEST = "manifest.json"
_COMMAND = re.compile(r"(Exec\w+=)(.*)")
# Not before a value such as -1: every flag begins with a letter.
_FLAG = re.compile(r" (?=--?[A-Za-z])")


def record(rendered: Rendered, known: GenerationState) -> None:
    """Put into the report what staging would write: for a plan, and before anything is changed.

    `files` holds name to diff against what is live, or against the newest generation where
    nothing is; None for a file that has nothing to be compared with.
    """
    if state.is_executing:
        return
    before = known.live or (known.all[-1] if known.all else None)
    if before is None:
        names = [*sorted(rendered.files), *sorted(rendered.links)]
        report.record(host.name, files=dict.fromkeys(names))
        return
    found = host.get_fact(GenerationFiles, number=before.number)
    report.record(host.name, files=diffs(found, before.number, rendered))


def later(title: str, once: str) -> None:
    """Note that only the run itself can tell whether the operation `title` will have to do
    anything; `once` says what has to happen first ("the model is there")."""
    if not state.is_executing:
        before = report.host(host.name).get("later", [])
        report.record(host.name, later=[*before, {"name": title, "once": once}])


def expected_model(settings: Settings, known: GenerationState) -> tuple[str, str] | None:
    """Path and sha256 of the model that a deploy will have brought, where a generation used the
    same file already; None where only the deploy can tell. For plans of a host that lost it."""
    name, pinned = model_source.name(settings), model_source.pins(settings)["sha256"]
    for each in reversed(known.all):
        model = each.manifest["model"]
        if pinned and (model["file"], model["sha256"]) == (name, pinned):
            return model["path"], model["sha256"]
    return None


def file(path: str, before: str | None, after: str | None) -> None:
    """Put one more file that would be written into the report; None: there is none. Not for
    secrets."""
    if state.is_executing:
        return
    known = report.host(host.name).get("files", {})
    shown = None if before is None else unified(path, before, after or "")
    report.record(host.name, files={**known, path: shown})


def diffs(found: FolderState, number: int, rendered: Rendered) -> dict[str, str | None]:
    """Name to unified diff for every file and link of `rendered` that differs from what
    generation `number` holds on the host; None for one that it lacks. The manifest is digests of
    the others."""
    result: dict[str, str | None] = {}
    for name, text in sorted(rendered.files.items()):
        before = found.files.get(name)
        if before is None:
            result[name] = None
            continue
        if name == MANIFEST:
            continue
        pair = readable(before, number, rendered.number), readable(text)
        if pair[0] != pair[1]:
            result[name] = unified(name, *pair, f"generation {number}", "as the settings ask")
    for name, target in sorted(rendered.links.items()):
        old = found.links.get(name)
        if old != target:
            result[name] = None if old is None else unified(name, f"{old}\n", f"{target}\n")
    return result


def unified(name: str, before: str, after: str, old: str = "", new: str = "") -> str:
    """A unified diff; empty where both are the same."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name}  {old}".rstrip(),
        f"{name}  {new}".rstrip(), n=2, lineterm="",
    )  # fmt: skip
    return "\n".join(lines)


def readable(text: str, number: int | None = None, becomes: int | None = None) -> str:
    """A unit with a flag of its command a line, and another generation's number in its paths."""
    if number is not None and becomes is not None:
        text = text.replace(f"{GENERATIONS}/{number}/", f"{GENERATIONS}/{becomes}/")
        text = re.sub(rf"\bgeneration {number}\b", f"generation {becomes}", text)
    lines: list[str] = []
    for line in text.splitlines():
        command = _COMMAND.fullmatch(line)
        lines += _FLAG.sub(" \\\\\n    ", line).split("\n") if command else [line]
    return "\n".join(lines) + "\n"


def changes(before: str, after: str) -> list[str]:
    """What differs between two readable texts, comments aside: `-c 8192 -> 16384`."""
    old, new = _counted(before), _counted(after)
    gone = [line for line in old if line not in new]
    come = [line for line in new if line not in old]
    said = []
    for line in gone:
        partner = next((each for each in come if _key(each) == _key(line)), None)
        if partner is None:
            said.append(f"without {line}")
            continue
        come.remove(partner)
        said.append(f"{line} -> {partner.removeprefix(_key(partner)) or 'nothing'}")
    return said + [f"with {line}" for line in come]


def _counted(text: str) -> list[str]:
    """Lines without comments, indentation and the mark of a line that goes on."""
    lines = (line.strip().removesuffix("\\").strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _key(line: str) -> str:
    """`-c ` of a flag, `Restart=` of a directive, `"tokens": ` of JSON; else the line."""
    found = re.match(r'--?[A-Za-z][\w-]*(?: |$)|\w+=|"\w+": ', line)
    return found[0] if found else line


def some(words: Iterable[str], most: int = 4) -> str:
    """A few of them for a line, then how many more."""
    listed = list(words)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
