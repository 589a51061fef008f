"""doctor: what stands in each host's way, and the one thing that mends it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig import __version__
from llamarig import settings as site_settings
from llamarig.cli import deploy, runner
from llamarig.errors import UserError

DOCTOR = "llamarig.tasks.doctor.run"
LOOKS = {"ok": "green", "warning": "yellow", "blocker": "bold red"}
Hosts = dict[str, dict[str, Any]]


@click.command()
@click.option("--save", metavar="FILE", callback=deploy.writable,
              help="Write what was read on the hosts there (it names their programs).")  # fmt: skip
@click.option("--replay", type=click.Path(path_type=Path), is_eager=True,
              help="Judge what --save wrote, without any host and without INVENTORY.")  # fmt: skip
@deploy.options
def doctor(
    inventory: Path | None, json_path: Path | None, limit: tuple[str, ...],
    save: Path | None, replay: Path | None,
) -> None:  # fmt: skip
    """Say what stands in the way of a deploy. Changes nothing; exit 1 when a blocker stands."""
    if replay is not None:
        hosts = _judge_again(replay)
        deploy.write(hosts, json_path)
    else:
        assert inventory is not None
        result = runner.run(inventory, DOCTOR, limit=limit)
        hosts = result.hosts
        if save is not None:
            _save(hosts, save)
        for entry in hosts.values():
            entry.pop("evidence", None)
            entry.pop("settings", None)
        deploy.finish(result, json_path, changes=False)
    _show(hosts)
    sys.exit(0 if all(_clear(entry) for entry in hosts.values()) else 1)


def _clear(entry: dict[str, Any]) -> bool:
    levels = [each["level"] for each in entry.get("findings", [])]
    return bool(levels) and "blocker" not in levels and not entry.get("problems")


def _save(hosts: Hosts, place: Path) -> None:
    read = {
        name: {"settings": entry["settings"], "evidence": entry["evidence"]}
        for name, entry in hosts.items()
        if "evidence" in entry
    }
    text = json.dumps({"llamarig": __version__, "hosts": read}, indent=1, sort_keys=True)
    place.write_text(text + "\n")


def _judge_again(place: Path) -> Hosts:
    """The findings of saved hosts by the rules of this llamarig.

    Raises:
        UserError: the file is missing, or not one that --save wrote.
    """
    from llamarig.tasks import doctor as judging

    try:
        saved = json.loads(place.read_text(encoding="utf-8"))["hosts"]
        lines = {name: dict(entry["evidence"]) for name, entry in saved.items()}
        sound, faults = site_settings.read({n: entry["settings"] for n, entry in saved.items()})
    except OSError as error:
        raise UserError(f"--replay {place}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"--replay {place}: not a file that `doctor --save` wrote") from None
    if faults:
        raise UserError("\n".join([f"--replay {place}:", *(each.line() for each in faults)]))
    return {
        name: {"findings": [asdict(each) for each in judging.findings(lines[name], sound[name])]}
        for name in sound
    }


def _show(hosts: Hosts) -> None:
    """A table for people, a line per finding elsewhere."""
    for name, entry in sorted(hosts.items()):
        found = entry.get("findings", [])
        counts = {level: sum(each["level"] == level for each in found) for level in LOOKS}
        if sys.stdout.isatty():
            _draw(name, found)
        else:
            for each in found:
                mend = f"; {each['fix']}" if each["fix"] else ""
                print(f"{name}  {each['level']:<7}  {each['topic']}: {each['found']}{mend}")
        if found:
            print(
                f"{name}: {counts['blocker']} blocker(s), {counts['warning']} warning(s), "
                f"{counts['ok']} ok"
            )


def _draw(name: str, found: list[dict[str, Any]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, title=name, title_justify="left")
    for column in ("", "about", "found", "to do"):
        table.add_column(column, overflow="fold", no_wrap=column in ("", "about"))
    for each in found:
        level = Text(each["level"], style=LOOKS[each["level"]])
        table.add_row(level, Text(each["topic"]), Text(each["found"]), Text(each["fix"]))
    Console().print(table)
