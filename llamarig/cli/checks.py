"""All that can be known to be wrong before any host is reached, said at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from glob import escape
from pathlib import Path

from llamarig import host_data
from llamarig.cli import connections, hostkeys
from llamarig.cli.inventory import HostData, load, site_of, syntax_fault
from llamarig.errors import UserError
from llamarig.hub.token import token
from llamarig.lockfile import Lockfile
from llamarig.settings import Settings

DEPLOY = "deploy.py"
LOCK = "llamarig.lock"


def check(
    inventory: Path, limit: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> tuple[Path, dict[str, HostData]]:
    """The site folder and the hosts that a run is for.

    Raises:
        UserError: the inventory can't be read; or, one line each, whatever else is wrong.
    """
    hosts = load(inventory)
    chosen = {
        name: each
        for name, each in hosts.items()
        if (not limit or named(each, limit)) and not named(each, exclude)
    }
    site = site_of(inventory)
    # What another connector brings along is no setting; that it is refused says it all.
    reached = {name: each for name, each in hosts.items() if each.connection in ("ssh", "local")}
    sound, lines = settings(site, reached)
    lines += connections.faults(chosen, site)
    files = [sound[name].sudo_password_file for name in chosen if name in sound]
    lines += connections.sudo_passwords(Path(file) for file in files if file)[1]
    lines += _token_faults(sound[name] for name in chosen if name in sound)
    lines += name_faults("--limit", limit, hosts) + name_faults("--exclude", exclude, hosts)
    if exclude and not chosen:
        lines.append("--exclude: leaves no host")
    lines += _deploy_faults(site)
    lines += _lock_faults(site)
    lines += _trust_faults(inventory, site, chosen)
    if lines:
        raise UserError("\n".join([f"{inventory}: nothing was changed", *lines]))
    return site, chosen


def settings(site: Path, hosts: Mapping[str, HostData]) -> tuple[dict[str, Settings], list[str]]:
    """The settings of the sound hosts, with what was tuned for them, and a line for each fault."""
    return host_data.of_site(site, {name: (each.data, each.own) for name, each in hosts.items()})


def named(host: HostData, patterns: tuple[str, ...]) -> bool:
    """Whether a --limit or --exclude names the host: by its name, a pattern, or a group of its."""
    return any(fnmatch(host.name, each) or each in host.groups for each in patterns)


def _token_faults(chosen: Iterable[Settings]) -> list[str]:
    """Tokens of the hub that can't be read, each said once."""
    lines: list[str] = []
    for each in chosen:
        try:
            token(each)
        except ValueError as error:
            lines.append(str(error))
    return list(dict.fromkeys(lines))


def exactly(name: str) -> str:
    """A --limit that names this host alone, also where a group is called the same."""
    return re.sub(r"[A-Za-z0-9@]", lambda found: f"[{found[0]}]", escape(name), count=1)


def name_faults(option: str, names: tuple[str, ...], hosts: dict[str, HostData]) -> list[str]:
    """A run for nobody would end well without having done anything; a host that was to be left
    alone would not be."""
    groups = {group for each in hosts.values() for group in each.groups}
    known = f"hosts: {', '.join(hosts)}; groups: {', '.join(sorted(groups)) or 'none'}"
    return [
        f"{option} {each}: names no host and no group ({known})"
        for each in names
        if not any(named(host, (each,)) for host in hosts.values())
    ]


def _deploy_faults(site: Path) -> list[str]:
    file = site / DEPLOY
    if not file.is_file():
        return [f"{site}: no {DEPLOY} there or one folder up; `llamarig init DIR` makes a site"]
    fault = syntax_fault(file)
    return [fault] if fault else []


def _lock_faults(site: Path) -> list[str]:
    lock = site / LOCK
    faults = Lockfile(lock).faults()
    if not os.access(site, os.W_OK):
        faults.append(f"{site}: can't be written; {LOCK} is kept there")
    return faults


def _trust_faults(inventory: Path, site: Path, hosts: dict[str, HostData]) -> list[str]:
    """Hosts that nobody has trusted yet; pyinfra would say that they can't be reached."""
    strangers: dict[Path, list[str]] = {}
    lines: list[str] = []
    files = {
        name: site / Path(str(each.data["ssh_known_hosts_file"])).expanduser()
        for name, each in hosts.items()
        if each.connection == "ssh"
        and each.data.get("ssh_known_hosts_file")
        and each.data.get("ssh_strict_host_key_checking") == "yes"
    }
    for file in sorted(set(files.values())):
        try:
            known = hostkeys.read_known(file)
        except UserError as error:
            lines.append(f"{error}; mend or remove it, then: llamarig trust {inventory}")
            continue
        for name in (name for name in files if files[name] == file):
            entry = connections.entry(hosts[name])
            if entry is not None and not known.lookup(entry):
                strangers.setdefault(file, []).append(name)
    for file, names in strangers.items():
        what = "no host's key" if names == list(hosts) else f"no key of {connections.some(names)}"
        lines.append(f"{file}: holds {what} yet; first: llamarig trust {inventory}")
    return lines
