"""The commands of `llamarig`, in the order of its help."""

from __future__ import annotations

import click

from llamarig import __version__
from llamarig.cli.bench import bench
from llamarig.cli.build import build
from llamarig.cli.deploy import plan
from llamarig.cli.doctor import doctor
from llamarig.cli.down import down
from llamarig.cli.history import history
from llamarig.cli.init import init
from llamarig.cli.inventory_show import inventory
from llamarig.cli.key import key
from llamarig.cli.lab import lab
from llamarig.cli.logs import logs
from llamarig.cli.models import models
from llamarig.cli.rehearse import rehearse
from llamarig.cli.report import report
from llamarig.cli.rollback import rollback
from llamarig.cli.smoke import smoke
from llamarig.cli.status import status
from llamarig.cli.trust import trust
from llamarig.cli.tune import tune
from llamarig.cli.up import up


class _InOrder(click.Group):
    """A group whose help lists the commands as they were added, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llamarig")
def cli() -> None:
    """From a bare host to a llama-server whose MTP speedup was proven on that host.

    \b
    Your own machines:   llamarig init SITE, llamarig trust SITE/inventory.py,
                         llamarig up SITE/inventory.py
    No GPU at hand:      llamarig rehearse
    """


COMMANDS = (
    init,
    trust,
    inventory,
    doctor,
    plan,
    models,
    build,
    up,
    smoke,
    bench,
    tune,
    status,
    history,
    report,
    logs,
    rollback,
    down,
    key,
    rehearse,
    lab,
)
for command in COMMANDS:
    cli.add_command(command)
