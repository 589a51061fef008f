"""The inventory as pyinfra understands it: its hosts, their groups and data, and its site."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from llamarig.errors import UserError

VARIABLE = "LLAMARIG_INVENTORY"
_TIMEOUT_S = 60

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class HostData:
    """One host of the inventory: its name, its groups, its data as pyinfra merged it, the name of
    the connector that reaches it, the keys of its data that are said of it alone, and the group
    that a key comes from; what neither names comes from group_data/all.py."""

    name: str
    groups: tuple[str, ...]
    data: dict[str, Any]
    connection: str = "ssh"
    own: frozenset[str] = frozenset()
    groups_of: dict[str, str] = field(default_factory=dict)


def inventory_argument(command: Command) -> Command:
    """Give a command the argument INVENTORY, which the environment may name instead."""
    return click.argument(
        "inventory", required=False, metavar="INVENTORY", callback=_from_environment
    )(command)


def _from_environment(context: click.Context, _: click.Parameter, value: str | None) -> Path | None:
    # What was saved of hosts needs none.
    if value or context.resilient_parsing or context.params.get("replay"):
        return Path(value) if value else None
    if named := os.environ.get(VARIABLE):
        click.echo(f"inventory: {named} (from {VARIABLE})", err=True)
        return Path(named)
    raise UserError(f"no inventory: name it, `{context.command_path} INVENTORY`, or set {VARIABLE}")


def site_of(inventory: Path) -> Path:
    """The folder that an inventory's deploy, group_data and llamarig.lock belong to.

    That is the nearest of the inventory's folder and the one above it that holds a deploy.py;
    without any, the one above if it has group_data and the inventory's own folder has none.
    """
    folder = inventory.absolute().parent
    for candidate in (folder, folder.parent):
        if (candidate / "deploy.py").is_file():
            return candidate
    if not (folder / "group_data").is_dir() and (folder.parent / "group_data").is_dir():
        return folder.parent
    return folder


def group_data_folders(inventory: Path) -> list[Path]:
    """Folders for --group-data, the nearest to the inventory last, since the last one wins."""
    folder = inventory.absolute().parent
    candidates = dict.fromkeys((site_of(inventory), folder))
    return [each / "group_data" for each in candidates if (each / "group_data").is_dir()]


def own_environment() -> dict[str, str]:
    """The environment for pyinfra as our child. An activated environment that is not ours would
    make it import that one's packages."""
    return {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}


def load(inventory: Path) -> dict[str, HostData]:
    """The hosts of an inventory file, by name, in its order.

    Raises:
        UserError: no such file, a mistake in it or in its group_data, or no hosts in it.
    """
    _check_file(inventory)
    groups = group_data_folders(inventory)
    for folder in groups:
        for file in sorted(folder.glob("*.py")):
            if fault := syntax_fault(file):
                raise UserError(fault)
    argv = [sys.executable, "-m", "llamarig.cli.reader", str(inventory.absolute())]
    try:
        done = subprocess.run(
            argv + [str(folder) for folder in groups],
            cwd=site_of(inventory),
            env=own_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{inventory}: took longer than {_TIMEOUT_S} s to read") from None
    return _hosts(inventory, done)


def _check_file(inventory: Path) -> None:
    try:
        if inventory.is_dir():
            inside = sorted(
                file.name for file in inventory.glob("*.py") if file.name != "deploy.py"
            )
            hint = f", such as {inventory / inside[0]}" if inside else ""
            raise UserError(f"{inventory}: is a folder, name the inventory file in it{hint}")
        if not inventory.exists():
            raise UserError(f"{inventory}: no such inventory (`llamarig init DIR` writes one)")
    except OSError as error:
        raise UserError(f"{inventory}: {error.strerror}") from None
    if fault := syntax_fault(inventory):
        raise UserError(fault)


def syntax_fault(file: Path) -> str | None:
    """Why a file is no Python, in one line; None if it is."""
    try:
        ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except SyntaxError as error:
        # A file with a NUL byte has no line.
        return f"{file}{f', line {error.lineno}' if error.lineno else ''}: {error.msg}"
    except OSError as error:
        return f"{file}: {error.strerror}"
    except (ValueError, RecursionError, MemoryError):
        return f"{file}: not a text file that Python can read"
    return None


def _hosts(inventory: Path, done: subprocess.CompletedProcess[str]) -> dict[str, HostData]:
    # An inventory may print; the answer is the last line.
    last = done.stdout.strip().rsplit("\n", 1)[-1]
    try:
        answer = json.loads(last)
        if "error" in answer:
            raise UserError(answer["error"])
        return {
            entry["name"]: HostData(
                entry["name"],
                tuple(entry["groups"]),
                dict(entry["data"]),
                entry["connection"],
                frozenset(entry["own"]),
                dict(entry["groups_of"]),
            )
            for entry in answer["hosts"]
        }
    except (ValueError, TypeError, KeyError):
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise UserError(
            f"{inventory}: reading it ended with exit status {done.returncode} "
            f"({said[-1][:200] if said else 'no reason was given'})"
        ) from None
