"""What ends a program on the host with one line."""

from __future__ import annotations


class Stop(Exception):  # noqa: N818 - it ends a program, often without an error
    """Ends the program: the line is printed after `llamarig: `, code is the exit status."""

    def __init__(self, line: str, code: int = 1) -> None:
        super().__init__(line)
        self.code = code
