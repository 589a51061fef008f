"""The console script `llamarig`."""

from __future__ import annotations

import sys

import click

from llamarig import __version__
from llamarig.cli.deploy import plan, smoke, up
from llamarig.cli.init import init
from llamarig.cli.lab import lab
from llamarig.cli.rehearse import rehearse
from llamarig.cli.status import status
from llamarig.cli.trust import trust
from llamarig.errors import UserError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llamarig")
def cli() -> None:
    """From a bare host to a llama-server whose MTP speedup was proven on that host.

    \b
    Your own machines:   llamarig init SITE, llamarig trust SITE/inventory.py,
                         llamarig up SITE/inventory.py
    No GPU at hand:      llamarig rehearse
    """


for command in (init, trust, plan, up, smoke, status, rehearse, lab):
    cli.add_command(command)


def main() -> None:
    """Run the command line: a user's mistake is one line, Ctrl-C another."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("\nllamarig: stopped", err=True)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"llamarig: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("\nllamarig: stopped; jobs that run on hosts go on there", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
