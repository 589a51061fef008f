"""How a custom operation fails: one line, no traceback, and the host is dropped."""

from __future__ import annotations

from pyinfra.api.command import FunctionCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State

from llamarig import report
from llamarig.display import over, say


def tell(host: Host, *lines: str) -> None:
    """Say why the host gets no further, and keep it for the report."""
    over(host.name)
    for line in lines:
        say(host.name, line)
        report.problem(host.name, line)


def _fail(state: State, host: Host, lines: list[str]) -> bool:
    tell(host, *lines)
    return False


def failure(*lines: str) -> FunctionCommand:
    """A command that says these lines and fails; yield it and return."""
    return FunctionCommand(_fail, (list(lines),), {})
