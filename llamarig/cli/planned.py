"""What plan says of a host: the operations that will run, the files they write, what is open."""

from __future__ import annotations

from typing import Any

import click

from llamarig.display import plain

MARGIN = "      "
LOOKS = {"+": "green", "-": "red", "@": "cyan"}


def show(name: str, entry: dict[str, Any]) -> None:
    """Print a host's plan; diffs are coloured on a terminal and nowhere else."""
    for line in lines(name, entry):
        diff = line.startswith(MARGIN)
        click.secho(plain(line), fg=LOOKS.get(line[len(MARGIN) :][:1]) if diff else None)


def lines(name: str, entry: dict[str, Any]) -> list[str]:
    """A host's plan, a line each; diffs are indented most."""
    later = {each["name"]: each["once"] for each in entry.get("later", [])}
    titles = [each["name"] for each in entry["operations"] if each["outcome"] == "planned"]
    certain = [each for each in titles if _title(each) not in later]
    said = [f"{name}: {len(certain) or 'no'} operation(s) would change something"]
    if cuda := entry.get("cuda"):
        said.append(
            f"    CUDA {cuda['version']}: {cuda['source']}, in {cuda['home']}; {cuda['why']}"
        )
    said += [f"    {title}" for title in certain]
    said += _files(entry.get("files") or {})
    return said + [f"    {line}" for line in _later(later)]


def _title(operation: str) -> str:
    """`Stage a generation` of `Server | Stage a generation`."""
    return operation.rsplit(" | ", 1)[-1]


def _later(later: dict[str, str]) -> list[str]:
    """What only the run itself can tell: `then, once the model is there: …`."""
    groups: dict[str, list[str]] = {}
    for title, once in later.items():
        groups.setdefault(once, []).append(title)
    return [
        f"then, once {once}: {', '.join(titles)}; each only if it turns out to be needed"
        for once, titles in groups.items()
    ]


def _files(files: dict[str, str | None]) -> list[str]:
    """The diffs; files that are new are named only, and the same change is shown once."""
    new = sorted(name for name, diff in files.items() if diff is None)
    said = [f"    + {len(new)} file(s): {', '.join(new)}"] if new else []
    shown: dict[tuple[str, ...], str] = {}
    for name, diff in sorted(files.items(), key=lambda each: (not _live(each[0]), each[0])):
        if not diff:
            continue
        body = diff.split("\n")
        change = tuple(line for line in body[2:] if line[:1] in "+-")
        if change in shown:
            said.append(f"    {name}: the same lines as {shown[change]}")
            continue
        shown[change] = name
        said += [MARGIN + line for line in body]
    return said


def _live(name: str) -> bool:
    return name == "llama-server.service"
