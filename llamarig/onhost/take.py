"""A taker's part: a file from hosts that have it, piece by piece, and to others that want it too.

`take.json` has target (where the whole file ends up), torrent (the metadata, base64), address,
port, peers, rate_limit (bytes a second, or null), slice (which of how many parts of the file is
asked for first), spare_bytes (that stay free on the disk), stall_seconds and linger_seconds. Until
the file is whole it grows as `<target>.lan`, and a later try goes on with it.
"""

from __future__ import annotations

import base64
import os
import shutil
import time

from llamarig.onhost import digest
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, sync_folder
from llamarig.onhost.swarm import POLL_SECONDS, Ends, Swarm, size_of

GIB = 2**30
# A giver that waits for us looks every POLL_SECONDS: four looks, to see that we are complete.
SEEN_SECONDS = 4 * POLL_SECONDS


def growing(target: str) -> str:
    """Where it grows: beside `target`, which is there only as a whole."""
    return f"{target}.lan"


class _Stall:
    """How long nothing came."""

    def __init__(self, limit: float) -> None:
        self._limit, self._done, self._since = limit, -1, time.monotonic()

    def over(self, done: int) -> bool:
        if done != self._done:
            self._done, self._since = done, time.monotonic()
        return time.monotonic() - self._since > self._limit


def fetch(swarm: Swarm, stall_s: float) -> None:
    """Until all pieces are here.

    Raises:
        Stop: nothing came for `stall_s` seconds, or it can't be written.
    """
    stall, tell = _Stall(stall_s), digest.Seldom()
    while not (status := swarm.look()).is_seeding:
        swarm.knock()
        # Of a piece that is checked nothing else is counted: half a piece is lost with its peer.
        if stall.over(int(status.total_done)):
            raise Stop(f"fan_out: nothing came from the other hosts for {stall_s:.0f} s")
        tell(int(status.total_wanted_done), int(status.total_wanted))
        time.sleep(POLL_SECONDS)


def _linger(swarm: Swarm, seconds: float) -> None:
    """Give on until the others have everything too, for at most so many seconds; while anybody is
    connected at least so long that a giver sees us complete."""
    begun = time.monotonic()
    while (stayed := time.monotonic() - begun) < seconds:
        alone = not swarm.look().num_peers
        if alone or (stayed >= SEEN_SECONDS and swarm.all_complete()):
            return
        time.sleep(POLL_SECONDS)


def _begin(target: str, size: int, spare: int) -> None:
    """See that the disk has room, and go on with what another way brought.

    Raises:
        Stop: it has none.
    """
    path = growing(target)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.exists(target) and not os.path.exists(path):
        os.replace(target, path)
    have = os.stat(path).st_blocks * 512 if os.path.exists(path) else 0
    needed, free = max(0, size - have) + spare, shutil.disk_usage(os.path.dirname(path)).free
    if free < needed:
        raise Stop(
            f"fan_out: {needed / GIB:.1f} GiB needed on the disk of {target}, "
            f"{free / GIB:.1f} GiB free"
        )


def main(path: str) -> int:
    """Have the file that the config at `path` names."""
    config = read_json(path)
    target, metadata = config["target"], base64.b64decode(config["torrent"])
    ends = Ends(config["address"], config["port"], config["peers"], config["rate_limit"])
    _begin(target, size_of(metadata), config["spare_bytes"])
    swarm = Swarm(growing(target), metadata, ends, whole=False)
    swarm.prefer(*config["slice"])
    try:
        fetch(swarm, config["stall_seconds"])
        _linger(swarm, config["linger_seconds"])
    finally:
        swarm.leave()
    os.replace(growing(target), target)
    sync_folder(target)
    return 0
