"""models: what a repository offers, and the files that hosts have of it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from llamarig import report
from llamarig.cli import deploy, runner
from llamarig.cli.models_list import list_models
from llamarig.cli.models_prune import prune
from llamarig.cli.models_update import update
from llamarig.cli.models_verify import verify
from llamarig.cli.token import token_option

GET = "llamarig.tasks.model_story.get"


@click.group()
def models() -> None:
    """The model: look, download, verify, update the pin, tidy up."""


@models.command()
@token_option
@deploy.options
def get(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Download the model and nothing else; what serves, serves on. Goes on where it was cut."""
    result = runner.run(inventory, GET, limit=limit)
    deploy.finish(result, json_path)
    for name, entry in sorted(result.hosts.items()):
        found = entry.get("model")
        what = f"; {found['file']} {found['size'] / 1e9:.2f} GB, verified" if found else ""
        print(f"{name}: {report.outcome(entry)}{what}")
    sys.exit(0 if deploy.sound(result) else 1)


for command in (list_models, update, verify, prune):
    models.add_command(command)
