"""One step of the story: a pyinfra deploy that a refused host sits out.

A host that preflight refused must not be touched, and must not stop the others: raising while
pyinfra prepares would abort the whole fleet. So the refusal is remembered here, every later step
returns at once for that host, and preflight's own operation makes pyinfra drop it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from pyinfra.api.deploy import deploy
from pyinfra.api.state import State
from pyinfra.context import host

from llamarig import report
from llamarig.display import say

_refused: dict[str, list[str]] = {}


def refuse(name: str, lines: list[str]) -> None:
    """Say why a host is left alone and leave it alone from here on."""
    for line in lines:
        say(name, line)
        report.problem(name, line)
    _refused.setdefault(name, []).extend(lines)


def refused(name: str) -> list[str]:
    return _refused.get(name, [])


def title(state: State, op_hash: str) -> str:
    """What an operation is called, its step first."""
    return ", ".join(sorted(state.get_op_meta(op_hash).names))


def step(title: str) -> Callable[[Callable[[], None]], Callable[[], Any]]:
    """Make a function one step of the story, under this title in every list of operations."""

    def decorate(function: Callable[[], None]) -> Callable[[], Any]:
        @wraps(function)
        def run() -> None:
            if not refused(host.name):
                function()

        run.__name__ = function.__name__
        return deploy(title)(run)

    return decorate
