"""All that can be known to be wrong before any host is reached, said at once."""

from __future__ import annotations

import ast
import os
from fnmatch import fnmatch
from pathlib import Path

from llamarig import settings
from llamarig.cli.inventory import HostData, load, site_of
from llamarig.errors import UserError
from llamarig.lockfile import Lockfile

DEPLOY = "deploy.py"
LOCK = "llamarig.lock"


def check(inventory: Path, limit: tuple[str, ...] = ()) -> tuple[Path, dict[str, HostData]]:
    """The site folder and the hosts that a run is for.

    Raises:
        UserError: the inventory can't be read; or, one line each, whatever else is wrong.
    """
    hosts = load(inventory)
    chosen = {name: each for name, each in hosts.items() if not limit or named(each, limit)}
    site = site_of(inventory)
    _, faults = settings.read({name: each.data for name, each in hosts.items()})
    lines = [fault.line() for fault in faults]
    lines += _limit_faults(limit, hosts)
    lines += _deploy_faults(site)
    lines += _lock_faults(site)
    lines += _trust_faults(inventory, site, chosen)
    if lines:
        raise UserError("\n".join([f"{inventory}: nothing was changed", *lines]))
    return site, chosen


def named(host: HostData, patterns: tuple[str, ...]) -> bool:
    """Whether a --limit names the host: by its name, a pattern, or a group of its."""
    return any(fnmatch(host.name, each) or each in host.groups for each in patterns)


def _limit_faults(limit: tuple[str, ...], hosts: dict[str, HostData]) -> list[str]:
    """A run for nobody would end well without having done anything."""
    groups = {group for each in hosts.values() for group in each.groups}
    known = f"hosts: {', '.join(hosts)}; groups: {', '.join(sorted(groups)) or 'none'}"
    return [
        f"--limit {each}: names no host and no group ({known})"
        for each in limit
        if not any(named(host, (each,)) for host in hosts.values())
    ]


def _deploy_faults(site: Path) -> list[str]:
    file = site / DEPLOY
    if not file.is_file():
        return [f"{site}: no {DEPLOY} there or one folder up; `llamarig init DIR` makes a site"]
    try:
        ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except SyntaxError as error:
        return [f"{file}, line {error.lineno}: {error.msg}"]
    except (OSError, ValueError) as error:
        return [f"{file}: can't be read as Python: {error}"]
    return []


def _lock_faults(site: Path) -> list[str]:
    lock = site / LOCK
    faults = Lockfile(lock).faults()
    if not os.access(site, os.W_OK):
        faults.append(f"{site}: can't be written; {LOCK} is kept there")
    return faults


def _trust_faults(inventory: Path, site: Path, hosts: dict[str, HostData]) -> list[str]:
    """A site whose hosts nobody has trusted yet; pyinfra would say that they can't be reached."""
    files = {
        site / Path(str(each.data["ssh_known_hosts_file"])).expanduser()
        for each in hosts.values()
        if each.data.get("ssh_known_hosts_file")
        and each.data.get("ssh_strict_host_key_checking") == "yes"
    }
    return [
        f"{file}: holds no host's key yet; first: llamarig trust {inventory}"
        for file in sorted(files)
        if not file.exists()
    ]
