"""build: llama.cpp alone, before a window or before the card is there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llamarig.cli import deploy, runner

BUILD = "llamarig.tasks.build_story.run"
CHECK = "llamarig.tasks.build_story.check"


@click.command()
@deploy.options
@click.option("--check", "checked", is_flag=True, help="Then check the recipe's flags against it.")
def build(inventory: Path, json_path: Path | None, limit: tuple[str, ...], checked: bool) -> None:
    """Build llama.cpp and nothing else; what serves, serves on. With --check, say which of the
    recipe's flags the build does not know."""
    result = runner.run(inventory, CHECK if checked else BUILD, limit=limit)
    deploy.finish(result, json_path)
    for name, entry in sorted(result.hosts.items()):
        print(f"{name}: {summary(entry)}")
    sys.exit(0 if deploy.sound(result) else 1)


def summary(entry: dict[str, Any]) -> str:
    """A host's line; why something failed has been said when it did."""
    made = entry.get("build")
    if not made:
        return "no release, the lines above say why"
    words = [f"release {made['id']}"]
    if cuda := made.get("cuda"):
        names = ", ".join(f"sm_{each}" for each in cuda["machine_code"])
        words.append(f"CUDA {cuda['version']}, code for {names}")
    if seconds := sum(made.get("seconds", {}).values()):
        words.append(f"built in {seconds / 60:.1f} min")
    if entry.get("recipe_faults"):
        words.append(f"{len(entry['recipe_faults'])} flag(s) of the recipe are gone")
    elif "recipe_faults" in entry:
        words.append("it knows every flag of the recipe")
    return "; ".join(words)
