"""The inventory as pyinfra understands it: its hosts, their groups and data, and its site."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from llamarig.errors import UserError

VARIABLE = "LLAMARIG_INVENTORY"
_TIMEOUT_S = 60

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class HostData:
    """One host of the inventory: its name, its groups, and its data as pyinfra merged it."""

    name: str
    groups: tuple[str, ...]
    data: dict[str, Any]


def inventory_argument(command: Command) -> Command:
    """Give a command the argument INVENTORY, which the environment may name instead."""
    return click.argument(
        "inventory", required=False, metavar="INVENTORY", callback=_from_environment
    )(command)


def _from_environment(context: click.Context, _: click.Parameter, value: str | None) -> Path | None:
    if value or context.resilient_parsing:
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
            _check_syntax(file)
    argv = [sys.executable, "-m", "pyinfra", str(inventory.absolute()), "debug-inventory", "--json"]
    for folder in groups:
        argv += ["--group-data", str(folder)]
    site = site_of(inventory)
    log = site / "pyinfra-debug.log"
    log_was_there = log.exists()
    try:
        done = subprocess.run(
            argv,
            cwd=site,
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
    finally:
        if not log_was_there:
            # pyinfra leaves its traceback there; the line below says what matters.
            log.unlink(missing_ok=True)
    return _hosts(inventory, done)


def _check_file(inventory: Path) -> None:
    if inventory.is_dir():
        inside = sorted(file.name for file in inventory.glob("*.py") if file.name != "deploy.py")
        hint = f", such as {inventory / inside[0]}" if inside else ""
        raise UserError(f"{inventory}: is a folder, name the inventory file in it{hint}")
    if not inventory.exists():
        raise UserError(f"{inventory}: no such inventory (`llamarig init DIR` writes one)")
    _check_syntax(inventory)


def _check_syntax(file: Path) -> None:
    try:
        ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except SyntaxError as error:
        raise UserError(f"{file}, line {error.lineno}: {error.msg}") from None
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{file}: not a text file that Python can read") from None


def _hosts(inventory: Path, done: subprocess.CompletedProcess[str]) -> dict[str, HostData]:
    if done.returncode != 0:
        raise UserError(f"{inventory}: {_reason(done.stderr)}")
    try:
        # An inventory may print; the JSON is the last line.
        entries = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
        hosts = {
            entry["name"]: HostData(entry["name"], tuple(entry["groups"]), dict(entry["data"]))
            for entry in entries
        }
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{inventory}: pyinfra gave no inventory: {_reason(done.stderr)}") from None
    if not hosts:
        raise UserError(
            f'{inventory}: no hosts: it needs a list of them, such as hosts = ["gpu01"]'
        )
    return hosts


def _reason(stderr: str) -> str:
    """The exception in pyinfra's output, with the place in the user's file that raised it."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", stderr)
    lines = [line.strip() for line in text.splitlines()]
    own = [
        f" ({match[1]}, line {match[2]})"
        for match in re.finditer(r'File "([^"]+)", line (\d+)', text)
        if "site-packages" not in match[1] and "/pyinfra" not in match[1]
    ]
    raised = [line for line in lines if re.match(r"[A-Za-z_.]+(Error|Exception|Exit)\b", line)]
    said = [line for line in lines if line and not line.startswith("-->")]
    words = (raised or said or ["it ended pyinfra, which gave no reason"])[-1]
    if "Cannot serialize" in words:
        words = f"a value in it or in its group_data is no plain literal ({words})"
    return words + (own[-1] if own else "")
