"""status: what every host serves, how that was proven, and what is not as it should be."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig import api_key
from llamarig.cli import deploy, runner, table
from llamarig.display import plain

STATUS = "llamarig.tasks.status.run"
Hosts = dict[str, dict[str, Any]]
COLUMNS = ("host", "gen", "version", "model", "up", "restarts", "proof", "drift")
# Names may be long: they break over lines, so that all of it fits into eighty columns.
FOLDED = {"host": 10, "version": 11, "model": 14, "up": 8}


@click.command()
@deploy.options
def status(inventory: Path, json_path: Path | None, limit: tuple[str, ...]) -> None:
    """Show what every host serves, and what differs from the settings. Changes nothing; exit 1
    when a host does not serve."""
    result = runner.run(inventory, STATUS, limit=limit)
    deploy.finish(result, json_path, changes=False)
    hosts = dict(sorted(result.hosts.items()))
    show(hosts)
    for line in [*wrong(hosts), *keys(hosts)]:
        print(plain(line))
    serving = all(entry.get("service") == "active" for entry in hosts.values())
    sys.exit(0 if serving and deploy.sound(result) else 1)


def show(hosts: Hosts) -> None:
    """The table: drawn on a terminal, columns of plain text elsewhere."""
    rows = [[plain(cell) for cell in row(name, entry)] for name, entry in hosts.items()]
    if not sys.stdout.isatty():
        table.columns([list(COLUMNS), *rows])
        return
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in COLUMNS:
        width = FOLDED.get(column)
        header = column.replace("restarts", "re-\nstarts")
        drawn.add_column(header, overflow="fold", no_wrap=width is None, max_width=width)
    for each in rows:
        cells = list(map(Text, each))
        cells[6] = Text(each[6].replace(", ", "\n"))
        cells[-1].stylize({"none": "green", "-": ""}.get(each[-1], "yellow"))
        drawn.add_row(*cells)
    Console().print(drawn)


def row(name: str, entry: dict[str, Any]) -> list[str]:
    """A host's cells; a dash where nothing is known."""
    if "service" not in entry:
        return [name, *["-"] * (len(COLUMNS) - 1)]
    serves = entry["service"] == "active"
    model = str((entry.get("model") or {}).get("file") or "-")
    return [
        name,
        str(entry.get("generation") or "-"),
        str(entry.get("release") or "-"),
        model.rsplit("/", 1)[-1],
        ago(entry.get("seconds")) if serves else str(entry["service"]),
        str(entry.get("restarts", "-")),
        _proof(entry),
        str(len(entry.get("drift") or []) or "none"),
    ]


def _proof(entry: dict[str, Any]) -> str:
    """`2.04x, 3 d ago`; its verdict where that is not a pass."""
    proof = entry.get("smoke") or {}
    if proof.get("speedup") is None:
        return "-"
    bad = "" if proof.get("verdict") == "pass" else f" {proof.get('verdict')}"
    return f"{proof['speedup']:.2f}x{bad}, {ago(entry.get('proof_age_seconds'))}"


def wrong(hosts: Hosts) -> list[str]:
    """A line for each thing that is not as it should be."""
    return [f"{name}: {each}" for name, entry in hosts.items() for each in _wrong(entry)]


def _wrong(entry: dict[str, Any]) -> Iterable[str]:
    if entry["problems"]:
        yield "not known, see above"
        return
    if "service" not in entry:
        yield "not reached"
        return
    if entry["service"] != "active":
        yield _stopped(entry)
    if entry["service"] == "active" and entry.get("smoke") is None:
        yield "what serves has no proof"
    for line in entry.get("drift") or []:
        yield f"drift: {line}"
    address = entry.get("address")
    if address and not entry.get("keyed") and not loopback(address["bind"]):
        place = f"[{address['bind']}]" if ":" in address["bind"] else address["bind"]
        yield f"no API key: whoever reaches {place}:{address['port']} may use it"


def _stopped(entry: dict[str, Any]) -> str:
    if entry.get("current") is None:
        return "not serving: nothing was deployed yet, or proven; `llamarig up` does both"
    ended = entry.get("result")
    how = f", {ended}" if ended not in (None, "", "success") else ""
    age = entry.get("seconds")
    since = f" for {ago(age)}" if age is not None else ""
    return (
        f"not serving: llama-server.service is {entry['service']}{how}{since}; "
        "`llamarig logs` says why, `llamarig up` starts it"
    )


def loopback(bind: str) -> bool:
    """Whether only the host itself reaches an address; one that is none counts as open."""
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def keys(hosts: Hosts) -> list[str]:
    """A line where hosts of the site have different API keys, or one has none that needs it."""
    keyed = {name: entry.get("api_key") for name, entry in hosts.items() if entry.get("keyed")}
    lines = [f"{name}: serves with an API key that is no longer there; `llamarig up` makes one"
             for name, key in keyed.items() if not key]  # fmt: skip
    first, *others = api_key.groups(keyed) or [[]]
    if others:
        verb = "has" if len(first) == 1 else "have"
        said = f"{', '.join(first)} {verb} one API key, "
        said += " and ".join(f"{', '.join(each)} another" for each in others)
        lines.append(f"{said}; `llamarig key rotate` gives all of them a new one")
    return lines


def ago(seconds: float | None) -> str:
    """`3 d`, `5 h`, `12 min` or `40 s`; a question mark where it is not known."""
    if seconds is None:
        return "?"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds) // size} {unit}"
    return f"{max(0, int(seconds))} s"
