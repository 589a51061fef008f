"""A password that somebody typed in one run of a rollout, handed to the next ones.

It goes through pipes that the child inherits: no file, no argument and no environment holds it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# The child's ends, as numbers of open files.
GIVEN, TYPED = "LLAMARIG_PASSWORD_GIVEN", "LLAMARIG_PASSWORD_TYPED"
# More than this fits into no pipe at once.
LONGEST = 4096


class Typed:
    """The password of a rollout; None until somebody typed one."""

    def __init__(self) -> None:
        self._password: str | None = None

    @contextmanager
    def lent(self, environment: dict[str, str]) -> Iterator[tuple[int, ...]]:
        """The files that a child has to inherit; afterwards what was typed in it is known."""
        given, give = os.pipe()
        take, typed = os.pipe()
        os.write(give, (self._password or "").encode())
        os.close(give)
        environment |= {GIVEN: str(given), TYPED: str(typed)}
        try:
            yield (given, typed)
        finally:
            os.close(given)
            os.close(typed)
            os.set_blocking(take, False)
            try:
                self._password = os.read(take, LONGEST).decode() or self._password
            except BlockingIOError:
                pass  # something that the child started still has the other end, and wrote nothing
            finally:
                os.close(take)


def given() -> str | None:
    """In a child: the password that was typed in a run before, once; None if there is none."""
    number = os.environ.pop(GIVEN, None)
    if number is None:
        return None
    with os.fdopen(int(number), "rb") as file:
        return file.read().decode() or None


def keep(password: str) -> None:
    """In a child: hand on what was typed."""
    number = os.environ.get(TYPED)
    if number is not None and len(password.encode()) < LONGEST:
        os.write(int(number), password.encode())
