"""doctor: what stands in each host's way, and the one thing that mends it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig import host_data
from llamarig.cli import deploy, runner, saved
from llamarig.display import plain

DOCTOR = "llamarig.tasks.doctor.run"
LOOKS = {"ok": "green", "warning": "yellow", "blocker": "bold red"}
Hosts = saved.Hosts


@click.command()
@click.option("--save", metavar="FILE", callback=deploy.writable,
              help="Write what was read on the hosts there (it names their programs).")  # fmt: skip
@click.option("--replay", metavar="FILE", type=click.Path(path_type=Path), is_eager=True,
              help="Judge what --save wrote, without any host and without INVENTORY.")  # fmt: skip
@deploy.options
def doctor(
    inventory: Path | None, json_path: Path | None, limit: tuple[str, ...],
    save: Path | None, replay: Path | None,
) -> None:  # fmt: skip
    """Say what stands in the way of a deploy. Changes nothing; exit 1 when a blocker stands."""
    if replay is not None:
        if inventory is not None or limit or save is not None:
            raise click.UsageError("--replay takes no INVENTORY, no --limit and no --save")
        hosts = _judge_again(replay)
        deploy.write(hosts, json_path)
    else:
        if save is not None and save == json_path:
            raise click.UsageError("--save and --json name the same file")
        assert inventory is not None
        result = runner.run(inventory, DOCTOR, limit=limit)
        hosts = result.hosts
        if save is not None:
            saved.write(hosts, save)
        for entry in hosts.values():
            entry.pop("evidence", None)
            entry.pop("settings", None)
        deploy.finish(result, json_path, changes=False)
    _show(hosts)
    _say_next(inventory, hosts)
    sys.exit(0 if all(_clear(entry) for entry in hosts.values()) else 1)


def _clear(entry: dict[str, Any]) -> bool:
    levels = [each["level"] for each in entry.get("findings", [])]
    return bool(levels) and "blocker" not in levels and not entry.get("problems")


def _judge_again(place: Path) -> Hosts:
    """The findings of saved hosts by the rules of this llamarig; problems of those that have none.

    Raises:
        UserError: the file is missing, or not one that --save wrote.
    """
    from llamarig.tasks import doctor as judging

    kept, wrong = saved.read(place)
    hosts: Hosts = {name: {"problems": [line]} for name, line in wrong.items()}
    for name, host in kept.items():
        sound, faults = host_data.read({name: host.settings})
        problems = [*host.problems, *(["nothing was read of it"] if not host.evidence else [])]
        problems += (each.line().removeprefix(f"{name}: ") for each in faults)
        hosts[name] = {"problems": problems}
        if not problems:
            found = judging.findings(host.evidence, sound[name])
            hosts[name]["findings"] = [asdict(each) for each in found]
    return hosts


def _show(hosts: Hosts) -> None:
    """A table for people, a line per finding elsewhere."""
    for name, entry in sorted(hosts.items()):
        shown, found = plain(name), entry.get("findings", [])
        for line in entry.get("problems", []):
            print(f"{shown}: {plain(line)}")
        if not found:
            continue
        if sys.stdout.isatty():
            _draw(shown, found)
        else:
            for each in found:
                mend = f"; {each['fix']}" if each["fix"] else ""
                print(plain(f"{shown}  {each['level']:<7}  {each['topic']}: {each['found']}{mend}"))
        counts = {level: sum(each["level"] == level for each in found) for level in LOOKS}
        print(
            f"{shown}: {counts['blocker']} blocker(s), {counts['warning']} warning(s), "
            f"{counts['ok']} ok"
        )


def _say_next(inventory: Path | None, hosts: Hosts) -> None:
    """What comes after the findings; nothing where saved ones were judged."""
    if inventory is None:
        return
    path = shlex.quote(str(inventory))
    if not all(map(_clear, hosts.values())):
        print(f"next: mend what stands in the way, then again: llamarig doctor {path}")
    else:
        print(f"next: llamarig plan {path}, llamarig up {path}")


def _draw(name: str, found: list[dict[str, Any]]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, title=name, title_justify="left")
    for column in ("", "about", "found", "to do"):
        table.add_column(column, overflow="fold", no_wrap=column in ("", "about"))
    for each in found:
        level = Text(each["level"], style=LOOKS[each["level"]])
        table.add_row(level, *(Text(plain(each[key])) for key in ("topic", "found", "fix")))
    Console().print(table)
