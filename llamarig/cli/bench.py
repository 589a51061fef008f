"""bench: how fast what serves is without speculation and at several draft depths."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from llamarig import bench as asking
from llamarig.cli import bench_table, deploy, runner
from llamarig.errors import UserError

BENCH = "llamarig.tasks.bench.run"


def _folder(_: click.Context, option: click.Parameter, name: str | None) -> Path:
    """Refuse at once a folder that could not be written to after minutes of measuring."""
    path = Path(name or time.strftime("llamarig-bench-%Y%m%d-%H%M"))
    made: list[Path] = []
    try:
        missing = [each for each in (path, *path.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir()
            made.append(each)
        with tempfile.TemporaryFile(dir=path):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        shown = f"{option.opts[0]} {shlex.quote(str(path))}"
        raise UserError(f"{shown}: {reason}; name a folder that can be written to") from None
    finally:
        for each in reversed(made):
            with contextlib.suppress(OSError):
                each.rmdir()
    return path


@click.command()
@click.option("--suite", metavar="NAME|FILE", help="The prompts: walkthrough (or article), bench, "
              "or a YAML file of yours.  [default: walkthrough]")  # fmt: skip
@click.option("--depths", metavar="N,N,...", help="Draft depths to compare; 0 is without "
              "speculation.  [default: 0,2,3]")  # fmt: skip
@click.option("--rounds", metavar="N", help="Rounds, there and back.  [default: 2]")
@click.option("--tokens", metavar="N", help="Tokens per answer.  [default: proof_tokens]")
@click.option("--out", metavar="DIR", callback=_folder, help="Where each host's report and chart "
              "go.  [default: llamarig-bench-YYYYMMDD-HHMM]")  # fmt: skip
@deploy.options
def bench(
    inventory: Path, json_path: Path | None, limit: tuple[str, ...],
    suite: str | None, depths: str | None, rounds: str | None, tokens: str | None, out: Path,
) -> None:  # fmt: skip
    """Measure several draft depths beside the walkthrough's.

    What serves is stopped meanwhile, some minutes, and is back afterwards."""
    wanted = asking.checked(suite=suite, depths=depths, rounds=rounds, tokens=tokens)
    if depths and 0 not in map(int, depths.split(",")):
        click.echo("--depths: 0 is measured too, everything is compared with it", err=True)
    result = runner.run(inventory, BENCH, limit=limit, data=wanted.data())
    if result.interrupted:
        click.echo("\nwhat is measured on hosts goes on; the same command joins it", err=True)
    deploy.finish(result, json_path, changes=False)
    for name, entry in sorted(result.hosts.items()):
        found = entry.get("bench") or {}
        bench_table.show(name, found)
        if found.get("arms"):
            for path in _write(found, out / folder_name(name), name):
                print(f"  {path}")
    sys.exit(status(result))


def folder_name(host: str) -> str:
    """A host's name as that of a folder: `@local` and addresses are names too."""
    return re.sub(r"[^A-Za-z0-9._-]|^\.", "_", host) or "_"


def _write(record: dict[str, Any], folder: Path, host: str) -> list[Path]:
    """The host's report: a page, its chart, the record.

    Raises:
        UserError: it could not be written.
    """
    # Drawing takes a second to import, which --help does not need.
    from llamarig.reports import page

    try:
        return page.write(record, folder, host)
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"--out: {where}: {error.strerror}; the figures are above") from None


def status(result: runner.Result) -> int:
    """0 where every host was measured, UNDECIDED where some were too busy and nothing else is
    wrong, else 1."""
    found = [entry.get("bench") or {} for entry in result.hosts.values()]
    if not deploy.sound(result) or not all(each.get("arms") for each in found):
        return 1
    return deploy.UNDECIDED if any(each["verdict"] == "undecided" for each in found) else 0
