"""Who makes a thing and who takes it: one host of a site downloads or builds, the others get it.

A thing is a model file or a release, by its key. Hosts of the run that lack it are known before
anything runs; which hosts of the site have it is asked once. If nobody has it the first of those
that lack it, in the inventory's order, makes it. If that fails the next one does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import gevent
from gevent.lock import BoundedSemaphore
from pyinfra.context import host, state

from llamarig.display import say
from llamarig.settings import Settings
from llamarig.tasks.facts.own_address import OwnAddress

WAIT_SECONDS = 0.5


@dataclass
class Thing:
    """lacking: hosts of this run without it, name to address (None: not known); holders: hosts of
    the site with it, in this run or not, None: not asked yet; offers:
    how often what holders offered came to nothing; useless: holders that could not offer it at all;
    planned: who makes it in a plan; here: those that are in the operation that makes or takes it,
    so one that failed is not."""

    lacking: dict[str, str | None] = field(default_factory=dict)
    holders: list[str] | None = None
    offers: int = 0
    useless: set[str] = field(default_factory=set)
    planned: str | None = None
    here: set[str] = field(default_factory=set)
    asking: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1))


_things: dict[str, Thing] = {}


def thing(key: str) -> Thing:
    return _things.setdefault(key, Thing())


def applies(settings: Settings) -> bool:
    """Whether there is anybody to share with."""
    return settings.fan_out and len(state.inventory) > 1


def lack(key: str) -> None:
    """The current host lacks it; said while the run is prepared."""
    if host.name not in thing(key).lacking:
        thing(key).lacking[host.name] = host.get_fact(OwnAddress, _sudo=False)


def maker(key: str) -> str | None:
    """Who makes it: the first host in the inventory's order that lacks it and is still in the run.
    Nobody, where it is there already."""
    this = thing(key)
    if this.holders:
        return None
    first = _first(this, {each.name for each in state.active_hosts})
    if state.is_executing:
        return first
    # While a run is prepared hosts arrive in any order: one maker, whichever came first.
    this.planned = this.planned or first
    return this.planned


def _first(this: Thing, among: set[str]) -> str | None:
    names = [each.name for each in state.inventory if each.name in among]
    return next((each for each in names if each in this.lacking), None)


def find(key: str, ask: Callable[[], list[str]]) -> None:
    """Have the site asked who has it, once; `ask` gives the names. A plan asks nobody."""
    this = thing(key)
    with this.asking:
        if this.holders is None and state.is_executing:
            this.holders = [each for each in ask() if each not in this.useless]


def made(key: str | None) -> None:
    """The current host has it, verified. key: None where nothing is shared."""
    if key is None:
        return
    this = thing(key)
    this.lacking.pop(host.name, None)
    if this.holders is not None and host.name not in this.holders:
        this.holders.append(host.name)


@contextlib.contextmanager
def making(key: str | None) -> Iterator[None]:
    """Around what makes or takes it on the current host: however that ends, those who wait for
    this host learn that it is over. An operation goes on until the last host is through it."""
    if key is None or not state.is_executing:
        yield
        return
    here = thing(key).here
    here.add(host.name)
    try:
        yield
    finally:
        here.discard(host.name)


def came_to_nothing(key: str, offer: int) -> None:
    """What holders offered did not arrive: who has it is asked again, for a holder may be gone.
    Said by each host that it failed for, so all but the first change nothing."""
    this = thing(key)
    if this.offers == offer:
        this.offers, this.holders = offer + 1, None


def await_others(key: str, what: str, ask: Callable[[], list[str]]) -> bool:
    """Wait until somebody has it (True), or it is the current host's turn to make it (False).

    Only for hosts that are in the operation: with --serial, or more hosts than run at once, the
    others come after this one. what: what people read of it, "it downloads the model"; ask: as in
    `find`.
    """
    told: str | None = None
    while True:
        gevent.sleep(WAIT_SECONDS)  # first: the others of this batch enter
        find(key, ask)
        this = thing(key)
        if this.holders:
            return True
        who = _first(this, this.here)
        if who in (host.name, None):
            return False
        if who != told:
            told = who
            say(host.name, f"waits for {who}: {what}")


def takers(key: str) -> dict[str, str]:
    """Hosts of this run that are to take it, name to address, in the inventory's order."""
    lacking = thing(key).lacking
    found = {each.name: lacking.get(each.name) for each in state.inventory
             if each in state.active_hosts}  # fmt: skip
    return {name: address for name, address in found.items() if address}
