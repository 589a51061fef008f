"""A host takes a thing from those that have it, and gives on what came of it meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from llamarig.display import say
from llamarig.settings import Settings
from llamarig.tasks import fan_out, giving
from llamarig.tasks.operations import jobs

PACKAGE = "python3-libtorrent"
STALL_SECONDS = 30
LINGER_SECONDS = 2
# Times that a host waits for others; then it helps itself.
MOST_OFFERS = 2
# A release is some hundred MB, the largest with CUDA.
RELEASE_SECONDS = 3600


def bring(
    key: str, what: str, ask: Callable[[], list[str]], payload: giving.Payload, settings: Settings,
    job: Callable[[giving.Offer], jobs.Spec],
) -> Generator[PyinfraCommand, None, bool]:  # fmt: skip
    """Have the thing come to the current host from another one, once one has it; False where it is
    the current host's own turn to make it (part of an operation).

    what: what people read while they wait, "it builds b11434"; ask: the site, who has it; job: the
    one that takes an offer.
    """
    if fan_out.thing(key).lacking.get(host.name) is None:
        return False  # no address that the others could give to
    for _ in range(MOST_OFFERS):
        if not fan_out.await_others(key, what, ask):
            return False
        this = fan_out.thing(key).offers
        found = giving.offer(key, payload, settings)
        if found is None:
            say(host.name, f"fan_out: no host can give {payload.name}")
        elif host.name in found.takers:
            spec = job(found)
            yield from jobs.launch(spec)
            reason = jobs.wait(spec, payload.limit_s)
            if reason is None:
                return True
            say(host.name, reason)
            # The others go on taking: offering it anew would stop them.
            if giving.given(found, payload):
                continue
        fan_out.came_to_nothing(key, this)
    return False


def take(found: giving.Offer, settings: Settings, target: str, spare: int) -> str:
    """What the on-host program `take` is told on the current host: a JSON text.

    target: where the whole file ends up; spare: bytes that stay free on its disk.
    """
    own = found.takers[host.name]
    return json.dumps(
        {
            **giving.ends(settings, own, {**found.givers, **found.takers}),
            "target": target, "torrent": found.torrent, "spare_bytes": spare,
            "stall_seconds": STALL_SECONDS, "linger_seconds": LINGER_SECONDS,
            "slice": [list(found.takers).index(host.name), len(found.takers)],
        },
        indent=2,
    )  # fmt: skip
