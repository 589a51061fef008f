"""models prune: what nothing on a host needs any more."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from llamarig.cli import deploy, runner
from llamarig.display import plain

STORIES = {
    (False, False): "llamarig.tasks.model_prune.look",
    (False, True): "llamarig.tasks.model_prune.look_all",
    (True, False): "llamarig.tasks.model_prune.remove",
    (True, True): "llamarig.tasks.model_prune.remove_all",
}
AGES = ((86400, "d"), (3600, "h"), (60, "min"))


@click.command()
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@click.option("--all", "everything", is_flag=True,
              help="Also of repositories that llamarig brought nothing from.")  # fmt: skip
@deploy.options
def prune(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...], yes: bool, everything: bool
) -> None:
    """List model files that no generation uses, or remove them. Never one that a generation, live
    or kept, or the settings need, or that a program has open."""
    result = runner.run(inventory, STORIES[yes, everything], limit=limit)
    deploy.finish(result, json_path, changes=yes)
    for name, entry in sorted(result.hosts.items()):
        for line in lines(entry, removed=yes):
            print(plain(f"{name}: {line}"))
    found = any((entry.get("prune") or {}).get("files") for entry in result.hosts.values())
    if found and not yes:
        more = " --all" if everything else ""
        print(
            "nothing was removed; to do it: "
            f"llamarig models prune {shlex.quote(str(inventory))}{more} --yes"
        )
    sys.exit(0 if deploy.sound(result) else 1)


def lines(entry: dict[str, Any], *, removed: bool) -> list[str]:
    """What was found on a host: a line for each file, and their sum."""
    found = entry.get("prune")
    if found is None or (removed and entry["failed"]):
        return ["not known, the lines above say why"]
    files = found["files"]
    if not files:
        return [f"nothing to do: llamarig left nothing unused in {found['hf_home']}"]
    said = [
        f"{each['size'] / 1e9:.2f} GB, {ago(each['age'])} old: {each['name']}, {each['why']} "
        f"({each['path']})"
        for each in files
    ]
    total = sum(each["size"] for each in files) / 1e9
    verb = "freed" if removed else "would free"
    return [*said, f"{len(files)} file(s), {verb} {total:.2f} GB of {found['hf_home']}"]


def ago(seconds: float) -> str:
    """`3 d`, `5 h`, `12 min` or `40 s`."""
    whole = max(0, int(seconds))
    for size, unit in AGES:
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
