"""logs: the journals of the service and of llamarig's jobs, read where they are kept."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click

from llamarig import journal
from llamarig.cli import checks, deploy, runner
from llamarig.cli.inventory import inventory_argument
from llamarig.errors import UserError

LOGS = "llamarig.tasks.logs.run"
_JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@click.command()
@inventory_argument
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(1, journal.MOST_LINES), default=50,
              show_default=True, help="Of every host, the last ones.")  # fmt: skip
@click.option("--job", metavar="NAME", help="Only a job's, `prove-3`, or a kind's, `build`.")
@click.option("--jobs", is_flag=True, help="Only llamarig's jobs: builds, downloads, proofs.")
@click.option("--limit", multiple=True, help="Only these hosts or groups, as HOST.")
def logs(
    inventory: Path, hosts: tuple[str, ...], follow: bool, lines: int, job: str | None, jobs: bool,
    limit: tuple[str, ...],
) -> None:  # fmt: skip
    """Show the journals of llama-server and of llamarig's jobs. HOST: a name or a group; several
    hosts' lines begin with the host. Changes nothing."""
    wanted = journal.Wanted(lines, follow, _units(job, jobs))
    os.environ[journal.WANTED] = wanted.text()
    chosen = (*hosts, *limit)
    several = len(checks.check(inventory, chosen)[1]) > 1

    def take(host: str, line: str) -> None:
        print(journal.shown(host, line, several=several), flush=True)

    with journal.receiving(take) as failure:
        result = runner.run(inventory, LOGS, limit=chosen)
    if failed := failure():
        raise failed
    deploy.finish(result, None, changes=False)
    sys.exit(0 if deploy.sound(result) else 1)


def _units(job: str | None, jobs: bool) -> tuple[str, ...]:
    """What is asked for, as systemd calls it.

    Raises:
        UserError: no job has such a name, or two options contradict each other.
    """
    if job is not None and jobs:
        raise UserError("--job and --jobs: one of them, please")
    if jobs:
        return (journal.JOBS,)
    if job is None:
        return journal.Wanted().units
    if not _JOB.fullmatch(job):
        raise UserError(f"--job {job}: a name such as build, fetch, prove or prove-3 expected")
    return journal.job_units(job.removeprefix("llamarig-").removesuffix(".service"))
