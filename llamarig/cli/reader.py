"""An inventory and its group_data as pyinfra reads them, in a process of their own.

    python -m llamarig.cli.reader INVENTORY [GROUP_DATA_FOLDER …]

runs in the site's folder, since these files are a user's program: they may print, exit or import.
The last line of stdout is JSON: {"error": "…"}, or {"hosts": […]}, each with name, groups, data,
connection, own, the keys of data that are said of the host alone, and groups_of, the group that
each other key comes from. pyinfra's own debug-inventory would do, but merges a host that is there
twice, and ends at values it does not like without the host's name.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llamarig.cli.groups import group_faults
from llamarig.errors import UserError


def main() -> None:
    inventory, *folders = sys.argv[1:]
    # pyinfra resolves imports of a site like this.
    sys.path += [".", os.getcwd()]
    sys.dont_write_bytecode = True
    try:
        answer: dict[str, Any] = {"hosts": _read(inventory, folders)}
    except UserError as error:
        answer = {"error": f"{inventory}: {error}"}
    except SystemExit:
        answer = {"error": f"{inventory}: it, or its group_data, ends Python (sys.exit)"}
    except (Exception, KeyboardInterrupt) as error:
        # Whatever a user's file may raise; a Ctrl-C of the user's ends the command that reads us.
        answer = {"error": _reason(error, inventory, folders)}
    print("\n" + json.dumps(answer), flush=True)


def _read(inventory: str, folders: list[str]) -> list[dict[str, Any]]:
    import pyinfra
    from pyinfra import context
    from pyinfra.api import connectors
    from pyinfra.api.state import State
    from pyinfra_cli import inventory as theirs
    from pyinfra_cli.util import json_encode

    pyinfra.is_cli = True
    state: Any = State(check_for_changes=True)
    state.cwd = os.getcwd()
    current: Any = context.ctx_state
    current.set(state)
    theirs.exec_file = _checking(theirs.exec_file, inventory)
    made: Any = theirs.make_inventory(inventory, cwd=state.cwd, group_data_directories=folders)
    of_pyinfra: Any = connectors
    names = {each: name for name, each in of_pyinfra.get_execution_connectors().items()}
    hosts: list[dict[str, Any]] = []
    for host in made:
        data = host.data.dict()
        for key, value in data.items():
            try:
                data[key] = json.loads(json.dumps(value, default=json_encode))
            except (TypeError, ValueError):
                kind = type(value).__name__
                raise UserError(
                    f"{host.name}: {key}: a value of type {kind} is no plain literal"
                ) from None
        own = sorted(map(str, host.host_data))
        # The last of a host's groups wins.
        groups_of = {key: group for group in host.groups for key in made.get_group_data(group)}
        entry = {"name": host.name, "groups": host.groups, "data": data, "own": own}
        entry["groups_of"] = groups_of
        hosts.append({**entry, "connection": names[host.connector_cls]})
    return hosts


def _checking(execute: Callable[..., dict[str, Any]], inventory: str) -> Callable[..., Any]:
    """Look at the inventory's own names before pyinfra makes hosts of them; running the file
    twice instead would ask a cloud twice."""

    def checked(filename: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        names = execute(filename, *arguments, **options)
        if filename == inventory and (faults := group_faults(names)):
            raise UserError(f"\n{inventory}: ".join(faults))
        return names

    return checked


def _reason(error: BaseException, inventory: str, folders: list[str]) -> str:
    """A user's exception in one line, with the place in the user's file that raised it."""
    # pyinfra wraps what a file raises.
    raised = getattr(error, "exception", error)
    frames = traceback.extract_tb(getattr(raised, "_traceback", None) or raised.__traceback__)
    own = [
        frame for frame in frames
        if frame.filename == inventory or str(Path(frame.filename).parent) in folders
    ]  # fmt: skip
    where = f"{own[-1].filename}, line {own[-1].lineno}" if own else inventory
    words = " ".join(str(raised).split())
    if isinstance(raised, UserError):
        return f"{where}: {words}"
    return f"{where}: {type(raised).__name__}: {words}"


if __name__ == "__main__":
    main()
