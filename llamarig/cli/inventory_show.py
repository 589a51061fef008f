"""inventory: which hosts there are, how they are reached, and what is set for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from llamarig.cli import checks, deploy, table
from llamarig.cli.inventory import HostData, load, site_of
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.rollout.words import some
from llamarig.settings import Settings
from llamarig.site.defaults import literal
from llamarig.tuned import Tuned

HOST, TUNED, ALL = "host", "tuned", "all"
Shown = dict[str, dict[str, Any]]


@click.command()
@deploy.options
def inventory(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Show the hosts, and the settings that are not the defaults.

    Each with where it is said: of the host, in a group's file, in group_data/all.py, or tuned.
    Reaches no host, shows no secret."""
    known = load(inventory)
    if faults := checks.name_faults("--limit", limit, known):
        raise UserError("\n".join([f"{inventory}: nothing to show", *faults]))
    hosts = {name: of for name, of in known.items() if not limit or checks.named(of, limit)}
    site = site_of(inventory)
    sound, lines = checks.settings(site, hosts)
    shown = {name: {**_place(of), "settings": _settings(of, sound.get(name), site)}
             for name, of in hosts.items()}  # fmt: skip
    deploy.write(shown, json_path)
    table.columns([["host", "address", "user", "groups"], *map(_row, shown, shown.values())])
    rows = _rows(shown)
    if rows:
        print()
        table.columns([["setting", "value", "from", "hosts"], *rows])
    if lines:
        raise UserError("\n".join([f"{inventory}: these hosts can't be deployed to", *lines]))


def _place(host: HostData) -> dict[str, Any]:
    """How a host is reached; passwords and keys stay where they are."""
    return {
        "groups": list(dict.fromkeys(host.groups)),
        "connection": host.connection,
        "address": str(host.data.get("ssh_hostname") or host.name),
        "port": host.data.get("ssh_port"),
        "user": host.data.get("ssh_user"),
    }


def _settings(host: HostData, found: Settings | None, site: Path) -> dict[str, dict[str, Any]]:
    """The settings that differ from the defaults: value, and where it is said. Empty for a host
    whose settings are wrong."""
    if found is None:
        return {}
    default, tuned = Settings().model_dump(), Tuned(site).read()[0].get(host.name, {})
    values = found.model_dump()
    return {
        key: {"value": value, "from": _source(host, key, tuned)}
        for key, value in values.items()
        if value != default[key]
    }


def _source(host: HostData, key: str, tuned: Mapping[str, Any]) -> str:
    if key in host.own:
        return HOST
    return TUNED if key in tuned else host.groups_of.get(key, ALL)


def _row(name: str, entry: dict[str, Any]) -> list[str]:
    port = f":{entry['port']}" if entry["port"] else ""
    address = entry["address"] if entry["connection"] == "ssh" else f"({entry['connection']})"
    words = [name, f"{address}{port}", entry["user"] or "-", ", ".join(entry["groups"]) or "-"]
    return [plain(str(word)) for word in words]


def _rows(shown: Shown) -> list[list[str]]:
    """A line for each value that is said somewhere, with the hosts that it holds for."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for name, entry in shown.items():
        for key, of in entry["settings"].items():
            lines.setdefault((key, literal(of["value"]), of["from"]), []).append(name)
    order = list(Settings.model_fields)
    known = sorted(lines, key=lambda each: order.index(each[0]))
    return [[*map(plain, each), plain(_holds(lines[each], shown))] for each in known]


def _holds(names: list[str], shown: Shown) -> str:
    return "all" if len(names) == len(shown) else some(names)
