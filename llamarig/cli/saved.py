"""What `doctor --save` writes and `--replay` reads: raw lines of hosts, and their settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from llamarig import __version__
from llamarig.errors import UserError

Hosts = dict[str, dict[str, Any]]


class Saved(BaseModel):
    """One host. problems: why nothing was read of it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    settings: dict[str, Any] = {}
    evidence: dict[str, list[str]] = {}
    problems: list[str] = []


def write(hosts: Hosts, place: Path) -> None:
    """Save what was read of the hosts, and of those that could not be read, why.

    Raises:
        UserError: the file can't be written.
    """
    known = Saved.model_fields
    kept = {
        name: {key: entry[key] for key in known if key in entry} for name, entry in hosts.items()
    }
    text = json.dumps({"llamarig": __version__, "hosts": kept}, indent=1, sort_keys=True)
    try:
        place.write_text(text + "\n")
    except OSError as error:
        raise UserError(f"--save {place}: {error.strerror}") from None


def read(place: Path) -> tuple[dict[str, Saved], dict[str, str]]:
    """The saved hosts, and a line for each that is not what `write` wrote.

    Raises:
        UserError: the file is missing, or holds no hosts.
    """
    try:
        found = json.loads(place.read_text(encoding="utf-8"))["hosts"]
        entries = dict(found.items())
    except OSError as error:
        raise UserError(f"--replay {place}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"--replay {place}: not a file that `doctor --save` wrote") from None
    if not entries:
        raise UserError(f"--replay {place}: holds no host")
    sound: dict[str, Saved] = {}
    faults: dict[str, str] = {}
    for name, entry in entries.items():
        try:
            sound[name] = Saved.model_validate(entry)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "entry"
            faults[name] = f"{where}: {first['msg']}; not what `doctor --save` wrote"
    return sound, faults
