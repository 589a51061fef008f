"""models verify: all bytes of the hosts' models, read again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from llamarig.cli import deploy, runner

VERIFY = "llamarig.tasks.model_verify.run"


@click.command()
@deploy.options
def verify(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Compare the sha256 of every host's model.

    Reads all of its bytes; what serves, serves on. Exit 1 when a host has none or a wrong one,
    which the next `up` then brings anew."""
    result = runner.run(inventory, VERIFY, limit=limit)
    deploy.finish(result, json_path)
    for name, entry in sorted(result.hosts.items()):
        print(f"{name}: {summary(entry)}")
    right = all(
        (entry.get("verified") or {}).get("verdict") == "right" for entry in result.hosts.values()
    )
    sys.exit(0 if right and deploy.sound(result) else 1)


def summary(entry: dict[str, Any]) -> str:
    """A host's line; what is wrong has been said when it was found."""
    found = entry.get("verified")
    if not found:
        return "not verified, the lines above say why"
    if found["verdict"] != "right":
        return f"{found['verdict']}, the lines above say more"
    size, seconds = found["bytes"], max(found["seconds"], 1e-3)
    return (
        f"right: {size / 1e9:.2f} GB in {seconds:.1f} s ({size / 1e6 / seconds:.0f} MB/s), "
        f"{found['words']}"
    )
