"""`llamarig lab`: made hosts to rehearse on."""

from __future__ import annotations

import os
import subprocess

import click

from llamarig.cli.program import typed
from llamarig.rehearsal import disk, hosts, machine, network
from llamarig.rehearsal import snapshot as snapshots
from llamarig.rehearsal.lab import Lab
from llamarig.rehearsal.leftovers import leftovers
from llamarig.rehearsal.state import OPERATORS


def _say(line: str) -> None:
    click.echo(line, err=True)


def _name(function: click.decorators.FC) -> click.decorators.FC:
    return click.option("--name", help="A lab of that name instead of this folder's own.")(function)


@click.group()
def lab() -> None:
    """Made hosts on this machine, each with systemd, SSH, a disk."""


@lab.command()
@click.argument("count", metavar="[N]", type=click.IntRange(min=1), default=1)
@click.option("--from", "source", metavar="SNAPSHOT", help="What new hosts start from.")
@_name
@click.option("--yes", is_flag=True, help="Install missing programs without asking.")
@click.option("--data-size", default=disk.DEFAULT_SIZE, show_default=True, help="Of /data.")
@click.option("--services/--no-services", default=True, help="The stand-in hub and git server.")
@click.option("--release", metavar="CODENAME", help="Of new hosts, such as trixie; else as here.")
def up(
    count: int,
    source: str | None,
    name: str | None,
    yes: bool,
    data_size: str,
    services: bool,
    release: str | None,
) -> None:
    """Bring the lab to N running hosts; those that run are left alone."""

    def agreed(question: str) -> bool:
        if yes:
            return True
        return os.isatty(0) and click.confirm(question, err=True)

    chosen = Lab(name, _say)
    state = chosen.up(count, source, data_size, services, agreed, release)
    option = f"--name {name} " if name else ""
    for host in state.hosts:
        click.echo(f"{host.name}  {host.address}  {typed()} lab ssh {option}{host.name}")


@lab.command()
@_name
def down(name: str | None) -> None:
    """Remove the lab and prove that nothing of it is left."""
    chosen = Lab(name, _say)
    chosen.down()
    click.echo(f"lab {chosen.id} is down; nothing of it is left on this machine")


@lab.command()
@_name
def status(name: str | None) -> None:
    """Show the machine, the lab's hosts and the snapshots."""
    chosen = Lab(name, _say)
    click.echo(f"machine    {machine.inspect()}")
    click.echo(f"snapshots  {' '.join(snapshots.names()) or 'none'}")
    if not chosen.folder.exists():
        click.echo(f"lab        {chosen.id}: not running; start it: llamarig lab up")
        for line in leftovers(chosen.id):
            click.echo(f"left over  {line}; remove it: llamarig lab down")
        return
    state = chosen.state
    click.echo(f"lab        {state.id}: {state.subnet}, in {chosen.folder}")
    for service, url in (state.services or {}).items():
        click.echo(f"{service:<10} {url}")
    for host in state.hosts:
        click.echo(f"{host.name:<10} {host.address}  {_condition(state.id, host.name)}")


def _condition(lab_id: str, host: str) -> str:
    if not hosts.running(lab_id, host):
        return "without power; llamarig lab up boots it from the disks it had"
    return "running" if network.plugged(lab_id, host) else "running, network cable pulled"


@lab.command(context_settings={"allow_interspersed_args": False})
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--user", default="ops", show_default=True, type=click.Choice(list(OPERATORS)),
              help="The sudo of opspw asks for a password.")  # fmt: skip
@_name
def ssh(host: str, command: tuple[str, ...], user: str, name: str | None) -> None:
    """Log in to a host, or run a command there. Options come before HOST."""
    if command and command[0].startswith("-"):
        raise click.UsageError(f"{command[0]} comes after HOST: options come before it")
    state = Lab(name).state
    argv = hosts.ssh_argv(state, state.host(host), user, command)
    raise SystemExit(subprocess.run(argv, check=False).returncode)


@lab.command()
@click.argument("host")
@click.argument("snapshot_name", metavar="NAME")
@click.option("--replace", is_flag=True, help="Replace a snapshot of that name.")
@_name
def snapshot(host: str, snapshot_name: str, replace: bool, name: str | None) -> None:
    """Keep a host as it stands, for new hosts to start from."""
    folder = Lab(name, _say).snapshot(host, snapshot_name, replace)
    click.echo(f"{folder}; start hosts from it: {typed()} lab up N --from {snapshot_name}")


@lab.command(hidden=True)
@click.argument("host")
@_name
def unplug(host: str, name: str | None) -> None:
    """Pull a host's network cable."""
    Lab(name).unplug(host)


@lab.command(hidden=True)
@click.argument("host")
@_name
def plug(host: str, name: str | None) -> None:
    """Put a host's network cable back."""
    Lab(name).plug(host)


@lab.command(hidden=True)
@click.argument("host")
@_name
def kill(host: str, name: str | None) -> None:
    """Cut a host's power."""
    Lab(name).kill(host)
