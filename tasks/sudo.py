"""How operations become root on a host.

pyinfra reads `_sudo` from a host's data, so each host gets what it needs: nothing for a root
login, sudo otherwise, with a password where sudo asks. The password is asked for once per run.
"""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from gevent.lock import BoundedSemaphore
from pyinfra import context
from pyinfra.api.host import Host

from llamarig import connection, typed_password
from llamarig.settings import Settings
from llamarig.tasks import askpass
from llamarig.tasks.facts.privilege import Privilege, PrivilegeState
from llamarig.tasks.step import refuse

NO_PASSWORD = "a password is one line of text that is not empty"

_asking = BoundedSemaphore(1)
_asked: list[str] = []
_arranged: set[str] = set()


def become_root(settings: Settings) -> None:
    """Arrange for root on the current host, and refuse the host where that does not work."""
    host = context.host
    line = arrange(host, host.get_fact(Privilege, _sudo=False), settings.sudo_password_file)
    if line:
        refuse(host.name, [line])


def arrange(host: Host, privilege: PrivilegeState | None, file: str | None) -> str | None:
    """Set the host up for root; returns the one line that says why it can't be."""
    line = _arrange(host, privilege, file)
    if line is None:
        _arranged.add(host.name)
    return line


def arranged(name: str) -> bool:
    """Whether that was done in this run. Hosts arrive each in its own time, and one that has may
    ask those that have not yet."""
    return name in _arranged


def _arrange(host: Host, privilege: PrivilegeState | None, file: str | None) -> str | None:
    if privilege is None:
        return "the host does not answer commands"
    if privilege.root:
        host.data._sudo = False
        return None
    if privilege.sudo == "missing":
        return f"sudo: not installed, and {privilege.user} is not root; log in as root once"
    host.data._sudo = True
    if privilege.sudo == "works":
        return None
    try:
        password = _password(file)
    except (OSError, ValueError) as error:
        # Never the error's own words for bytes that are no text: it quotes them.
        words = error.strerror if isinstance(error, OSError) else NO_PASSWORD
        return f"sudo_password_file: {file}: {words}"
    if password is None:
        return (
            f"sudo asks {privilege.user} for a password and there is no terminal to ask at; "
            "set sudo_password_file, or let sudo work without one"
        )
    return _try(host, password, privilege.user)


def _try(host: Host, password: str, user: str) -> str | None:
    try:
        askpass.lend(host, password)
        works, _ = connection.run(host, "true", sudo=True)
    except (*connection.LOST, ConnectionError) as error:
        return f"sudo: {error}"
    if works:
        return None
    return f"sudo: the password of {user} is wrong, or {user} may not use sudo"


def _password(path: str | None) -> str | None:
    """From the file, else asked at the terminal once for all hosts of this run, or of the rollout
    that it is part of."""
    if path is not None:
        password = Path(path).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
        if not password or "\n" in password or "\0" in password:
            raise ValueError(NO_PASSWORD)
        return password
    with _asking:
        if not _asked and (before := typed_password.given()):
            _asked.append(before)
        if not _asked and sys.stdin and sys.stdin.isatty():
            _asked.append(getpass("sudo password: "))
            typed_password.keep(_asked[0])
    return _asked[0] if _asked else None
