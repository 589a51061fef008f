"""What a lab is, in one file: <cache>/labs/<lab id>/state.json."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llamarig import cache
from llamarig.errors import UserError

OPERATORS = {"ops": "passwordless sudo", "opspw": "sudo asks for a password"}
# Ten characters: an interface name has fifteen, and the lab's name is part of it.
LAB_ID = re.compile(r"[a-z0-9]{1,10}")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass
class Host:
    """One made host. `layers` are its read-only layers, the topmost first."""

    name: str
    address: str
    users: dict[str, str] = field(default_factory=lambda: dict(OPERATORS))
    layers: list[str] = field(default_factory=list)
    snapshot: str | None = None
    data_size: str = "12G"
    data_kind: str = "disk"


@dataclass
class State:
    """A lab as state.json keeps it."""

    id: str
    subnet: str
    gateway: str
    ssh_key: str
    known_hosts: str
    sudo_password_file: str
    hosts: list[Host] = field(default_factory=list)
    services: dict[str, str] | None = None
    model: dict[str, Any] | None = None

    def host(self, name: str) -> Host:
        """The host of that name; its absence is the user's typing."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts) or "none"
        raise UserError(f"no host {name} in this lab (hosts: {known})")


def cache_root() -> Path:
    """The cache, where layers, labs and snapshots are kept too."""
    root = cache.root()
    if any(character in str(root) for character in ':,\\\n"'):
        # overlayfs takes its layers in one string, divided by these
        raise UserError(f"LLAMARIG_CACHE={root}: no colon, comma, quote or backslash, please")
    return root


def lab_id(name: str | None = None, folder: Path | None = None) -> str:
    """A lab's id: the given name, else made of the folder that it was started from."""
    if name is None:
        try:
            place = str((folder or Path.cwd()).absolute())
        except FileNotFoundError:
            raise UserError(
                "the current folder was removed: go to another, or say which lab with --name"
            ) from None
        return hashlib.sha256(place.encode()).hexdigest()[:6]
    if not LAB_ID.fullmatch(name):
        raise UserError(f"--name {name}: one to ten small letters and digits, please")
    return name


def lab_folder(lab: str) -> Path:
    return cache_root() / "labs" / lab


def snapshot_name(name: str) -> str:
    """A checked name of a snapshot."""
    if not NAME.fullmatch(name):
        raise UserError(f"snapshot name {name!r}: small letters, digits and dashes, please")
    return name


def parse(text: str) -> State:
    """state.json back into a State."""
    raw = json.loads(text)
    hosts = [Host(**host) for host in raw.pop("hosts")]
    return State(**raw, hosts=hosts)


def render(state: State) -> str:
    return json.dumps(asdict(state), indent=2) + "\n"


def load(folder: Path) -> State | None:
    """The lab's state, None where no lab was started."""
    try:
        text = (folder / "state.json").read_text()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise UserError(f"{folder}: not readable; the rehearsal lab needs root") from None
    try:
        return parse(text)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{folder}/state.json is unreadable; run `llamarig lab down`") from None


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "w", opener=lambda name, flags: os.open(name, flags, mode)) as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def save(folder: Path, state: State) -> None:
    write_atomically(folder / "state.json", render(state))
