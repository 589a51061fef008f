"""`llamarig trust`: the hosts' SSH keys, the login and sudo, before anything else is done."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import paramiko
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from llamarig import host_data
from llamarig.cli import connections, hostkeys
from llamarig.cli.hostkeys import Known, UnreachableError
from llamarig.cli.inventory import HostData, inventory_argument, load, site_of
from llamarig.cli.login import Local, Remote, Target, target_of, try_sudo
from llamarig.cli.terminal import can_ask
from llamarig.errors import UserError
from llamarig.settings import Settings

_AT_ONCE = 16
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Shown:
    """A host, where SSH goes for it, the key it shows, and what is known of that key."""

    name: str
    target: Target
    key: paramiko.PKey
    known: Known


@click.command()
@inventory_argument
@click.option("--yes", is_flag=True, help="Take every new key unseen; a changed one never.")
@click.option(
    "--sudo-password-file",
    type=click.Path(path_type=Path),
    help="File with the password of sudo; else what the setting of that name says.",
)
def trust(inventory: Path, yes: bool, sudo_password_file: Path | None) -> None:
    """Remember the hosts' SSH keys, then try login and sudo.

    Shows each key before it is remembered."""
    # paramiko's own words for what is said below in one line.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    hosts = load(inventory)
    site = site_of(inventory)
    passwords = _check(inventory, site, hosts, sudo_password_file)
    over_ssh = {name: host for name, host in hosts.items() if host.connection == "ssh"}
    ready = [name for name in hosts if name not in over_ssh and _local(name, passwords[name])]
    trusted = _trust_keys(over_ssh, site, yes=yes)
    logins = _each(lambda name: _log_in(over_ssh[name], site, passwords[name]), trusted)
    for name, (ok, words) in zip(trusted, logins, strict=True):
        click.echo(f"{name}: {words}")
        ready += [name] if ok else []
    _finish(inventory, len(ready), len(hosts))


def _finish(inventory: Path, ready: int, count: int) -> None:
    path = shlex.quote(str(inventory))
    if ready < count:
        click.echo(f"{count - ready} of {count} not ready; then again: llamarig trust {path}")
        raise click.exceptions.Exit(1)
    click.echo(f"next: llamarig doctor {path}")


def _check(
    inventory: Path, site: Path, hosts: dict[str, HostData], given: Path | None
) -> dict[str, str | None]:
    """Each host's password of sudo; other settings don't matter yet.

    Raises:
        UserError: a line for each thing that no host can be tried with.
    """
    lines = connections.faults(hosts, site)
    key = "sudo_password_file"
    data = {name: {key: host.data[key]} for name, host in hosts.items() if key in host.data}
    sound, faults = host_data.read({} if given else data)
    lines += [fault.line() for fault in faults]
    named = {name: given or _path(sound.get(name)) for name in hosts}
    passwords, unfit = connections.sudo_passwords(file for file in named.values() if file)
    if lines := lines + unfit:
        raise UserError("\n".join([f"{inventory}: no host was tried", *lines]))
    return {name: passwords[file] if file else None for name, file in named.items()}


def _path(sound: Settings | None) -> Path | None:
    return Path(sound.sudo_password_file) if sound and sound.sudo_password_file else None


def _local(name: str, password: str | None) -> bool:
    """Try sudo on this machine itself, which has no key to trust."""
    try:
        sudo = try_sudo(Local(), password)
    except UnreachableError as error:
        click.echo(f"{name}: {error}")
        return False
    click.echo(f"{name}: this machine; {sudo.words}")
    return sudo.ready


def _each(work: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """The work on all items at once; results in the items' order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _trust_keys(hosts: dict[str, HostData], site: Path, *, yes: bool) -> list[str]:
    """Show the hosts' keys and remember those that are taken; the names of trusted hosts."""
    shown: list[Shown] = []
    for name, result in zip(
        hosts, _each(lambda host: _show(host, site), hosts.values()), strict=True
    ):
        if isinstance(result, Shown):
            shown.append(result)
        else:
            click.echo(f"{name}: {result}")
    for each in shown:
        if each.known.state == "changed":
            _say_changed(each)
    known = [each for each in shown if each.known.state == "known"]
    for each in known:
        fingerprint = hostkeys.fingerprint(each.key)
        click.echo(f"{each.name}: key known ({hostkeys.kind(each.key)} {fingerprint})")
    taken = _take([each for each in shown if each.known.state == "new"], yes=yes)
    for file in {each.target.known_hosts for each in taken}:
        # Two hosts of the inventory may be one machine.
        keys = {each.target.entry: each.key for each in taken if each.target.known_hosts == file}
        hostkeys.append(file, keys)
        click.echo(f"{len(keys)} key{'s' * (len(keys) > 1)} added to {file}")
    trusted = {each.name for each in (*known, *taken)}
    return [name for name in hosts if name in trusted]


def _show(host: HostData, site: Path) -> Shown | str:
    """The key that a host shows, or why there is none."""
    try:
        target = target_of(host, site)
        known = hostkeys.read_known(target.known_hosts)
        held = list(known.lookup(target.entry) or ())
        key = hostkeys.fetch(target.address, target.port, held, target.options.get("sock"))
    except UnreachableError as error:
        return f"unreachable: {error}"
    return Shown(host.name, target, key, hostkeys.compare(known, target.entry, key))


def _say_changed(each: Shown) -> None:
    file, entry = each.target.known_hosts, each.target.entry
    click.echo(
        f"{each.name}: CHANGED key: {file} holds {each.known.before}, {entry} shows "
        f"{hostkeys.fingerprint(each.key)} ({hostkeys.kind(each.key)}); nothing was replaced. "
        f"If you know why: {hostkeys.forget_command(entry, file)}"
    )


def _take(new: list[Shown], *, yes: bool) -> list[Shown]:
    """Those of the new keys that the user takes."""
    if not new:
        return []
    print_keys(new)
    if yes:
        return new
    if not can_ask():
        click.echo("not taken: compare them on the hosts, then say --yes or run at a terminal")
        return []
    if len(new) == 1:
        return new if click.confirm("Take this key?", default=False) else []
    answer = click.prompt(
        f"Take these {len(new)} keys?", type=click.Choice(["yes", "no", "each"]), default="no"
    )
    if answer == "each":
        return [each for each in new if click.confirm(f"{each.name}: take its key?", default=False)]
    return new if answer == "yes" else []


def print_keys(new: list[Shown]) -> None:
    """The new keys: a table on a terminal it fits, else a line each as ssh-keygen -lf prints it."""
    table = Table(
        box=box.SIMPLE,
        title="New keys; on the host: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    )
    for column in ("host", "address", "type", "fingerprint"):
        table.add_column(column, no_wrap=True)
    for each in new:
        kind, fingerprint = hostkeys.kind(each.key), hostkeys.fingerprint(each.key)
        # As Text, since rich takes a [host]:port for markup.
        table.add_row(*map(Text, (each.name, each.target.entry, kind, fingerprint)))
    console = Console()
    # rich would cut the fingerprints, which are to be compared.
    whole = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    if sys.stdout.isatty() and whole <= console.width:
        console.print(table)
        return
    for each in new:
        click.echo(f"{each.name}: new key: {hostkeys.described(each.key, each.target.entry)}")


def _log_in(host: HostData, site: Path, password: str | None) -> tuple[bool, str]:
    """Whether a host is ready, and the words for it."""
    try:
        target = target_of(host, site)
        remote = Remote(target)
    except paramiko.AuthenticationException:
        key = f"key {target.key}" if target.key else "keys of the agent and of ~/.ssh"
        return False, f"Permission denied (user {target.user}, {key})"
    except UnreachableError as error:
        return False, f"unreachable: {error}"
    try:
        sudo = try_sudo(remote, password)
    except UnreachableError as error:
        return False, f"login works as {target.user}; {error}"
    finally:
        remote.close()
    return sudo.ready, f"login works as {target.user}; {sudo.words}"
