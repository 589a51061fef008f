"""Users and groups: written down before they are made, removed if llamarig made them."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.operations import server

from llamarig.paths import ACCOUNTS
from llamarig.tasks.facts.accounts import Accounts, User
from llamarig.tasks.operations import records

# Nobody logs in as the service.
SERVICE = User(home="/nonexistent", shell="/usr/sbin/nologin")


@operation()
def noted(users: Sequence[str], groups: Sequence[str]) -> Generator[PyinfraCommand, None, None]:
    """Write down those of these that are not there yet. A user's own group, which useradd makes,
    is one of `groups`."""
    known = host.get_fact(Accounts)
    wanted = [*(f"user {each}" for each in users), *(f"group {each}" for each in groups)]
    missing = [each for each in wanted if each not in known.there]
    if missing:
        yield records.noted(ACCOUNTS, missing)
    else:
        host.noop("the accounts are there")


@operation()
def service_user(user: str) -> Generator[PyinfraCommand, None, None]:
    """Have the service's user. Where something differs, pyinfra's own operation says what is to be
    done: for that it looks up every account of the host, one by one."""
    if host.get_fact(Accounts).users.get(user) == SERVICE:
        host.noop(f"user {user} is there")
        return
    yield from server.user._inner(
        user=user, system=True, ensure_home=False, home=SERVICE.home, shell=SERVICE.shell
    )


@operation()
def gone() -> Generator[PyinfraCommand, None, None]:
    """Remove the users and groups that llamarig made and nobody else is in."""
    known = host.get_fact(Accounts)
    if not known.removable:
        host.noop("no account of llamarig's")
        return
    # userdel may take the user's own group along.
    for account in known.removable:
        kind, name = account.split(" ", 1)
        database, verb = ("passwd", "userdel") if kind == "user" else ("group", "groupdel")
        quoted = shlex.quote(name)
        yield StringCommand(f"if getent {database} {quoted} >/dev/null; then {verb} {quoted}; fi")
