"""Hosts measure by turns: they may share a machine, or the power of a room."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gevent.lock import BoundedSemaphore
from pyinfra.context import host, state

from llamarig.display import say

_places: dict[int, BoundedSemaphore] = {}


@contextlib.contextmanager
def taken(at_once: int) -> Iterator[None]:
    """A place among those hosts of this run that measure `at_once`; waits for one, and says so.

    A plan measures nothing, so it waits for nobody.
    """
    if not state.is_executing:
        yield
        return
    places = _places.setdefault(at_once, BoundedSemaphore(at_once))
    if not places.acquire(blocking=False):
        say(host.name, f"waits for its turn: {at_once} measure at once (smoke_parallel)")
        places.acquire()
    try:
        yield
    finally:
        places.release()
