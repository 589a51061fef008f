"""pyinfra's command line as our child runs it: a user's mistake is one line here too.

paramiko logs a traceback for every connection that fails; nobody set up a handler for it, so
Python prints it. gevent prints one for every error of pyinfra's that it carries to pyinfra.
pyinfra's own line says the same.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import click
import pyinfra_cli.cli
from gevent.hub import Hub
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State
from pyinfra_cli.exceptions import UnexpectedExternalError, UnexpectedInternalError
from pyinfra_cli.main import main

import llamarig
import llamarig.tasks
from llamarig import report
from llamarig.errors import UserError

_OURS = [Path(str(each.__file__)).resolve().parent for each in (llamarig, llamarig.tasks)]


def _below(file: str, *folders: Path) -> bool:
    return any(Path(file).resolve().is_relative_to(folder) for folder in folders)


def _of_site(file: str) -> bool:
    """Whether code belongs to the site, the folder that pyinfra runs in. Compiled code names files
    that are not there."""
    others = (Path(sys.prefix).resolve(), *_OURS)
    return Path(file).is_file() and _below(file, Path.cwd()) and not _below(file, *others)


def mistake(error: BaseException, trace: TracebackType | None) -> str | None:
    """The line for an error that the site's code made; None for one of ours or pyinfra's."""
    if isinstance(error, UserError):
        return str(error)
    frames = [(each.filename, each.lineno) for each in traceback.extract_tb(trace)]
    last = [f"{file}, line {line}" for file, line in frames if _of_site(file)][-1:]
    if not last or any(_below(file, *_OURS) for file, _ in frames):
        return None
    words = f"{type(error).__name__}: {error}"
    return f"{last[0]}: {words.splitlines()[0]}"


def _in_one_line(show: Callable[..., None]) -> Callable[..., None]:
    def shown(self: Any, file: Any = None) -> None:
        line = mistake(self.exception, self.exception._traceback)
        if line is None:
            show(self, file)
        else:
            click.echo(f"llamarig: {line}", err=True)

    return shown


class _Connecting(BaseStateCallback):
    """Reports hosts that can't be reached: where none can, pyinfra ends before any task of ours."""

    @staticmethod
    def host_connect_error(state: State, host: Host, error: ConnectError) -> None:
        # Others are asked for the site's key, and are no part of this run.
        if host not in state.activated_hosts and state.is_host_in_limit(host):
            report.unreachable(host.name, str(error))


def _watched(connect: Callable[[State], None]) -> Callable[[State], None]:
    def connected(state: State) -> None:
        state.add_callback_handler(_Connecting())
        try:
            connect(state)
        except PyinfraError:
            wanted = {each for each in state.inventory if state.is_host_in_limit(each)}
            if not wanted <= state.failed_hosts:
                raise
            click.echo("llamarig: no host could be reached", err=True)
            sys.exit(1)

    return connected


def run() -> None:
    """pyinfra's own main with our words for a mistake; a deploy may not end it."""
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, PyinfraError, UserError)
    pyinfra_cli.cli.connect_all = _watched(pyinfra_cli.cli.connect_all)
    for kind in (UnexpectedExternalError, UnexpectedInternalError):
        kind.show = _in_one_line(kind.show)
    try:
        main()
    except SystemExit as end:
        last = traceback.extract_tb(end.__traceback__)[-1]
        if not _of_site(last.filename):
            raise
        click.echo(f"llamarig: {last.filename}, line {last.lineno}: sys.exit", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
