"""A holder's part: give a verified file to the hosts that were named, then stop listening.

`share.json` has file, sha256, torrent (where the metadata is put, for the controller to read),
address, port, peers, rate_limit (bytes a second, or null), patience_seconds (until the first taker
comes) and idle_seconds (without any, from then on).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from llamarig.onhost import digest, torrent
from llamarig.onhost.files import read_json
from llamarig.onhost.swarm import POLL_SECONDS, Ends, Swarm, library


def _write(path: str, content: bytes) -> None:
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def give(
    swarm: Swarm, peers: set[str], patience_s: float, idle_s: float,
    tell: Callable[[int, int], None],
) -> None:  # fmt: skip
    """Until all peers are complete, or none was connected for too long."""
    seen, limit = time.monotonic(), patience_s
    while time.monotonic() - seen < limit:
        status = swarm.look()
        if peers <= swarm.complete:
            return
        if status.num_peers:
            seen, limit = time.monotonic(), idle_s
        swarm.knock()
        tell(len(swarm.complete & peers), len(peers))
        time.sleep(POLL_SECONDS)


def main(path: str) -> int:
    """Share what the config at `path` names, as long as somebody takes it."""
    config = read_json(path)
    library()  # before a large file is read for nothing
    made = torrent.make(config["file"], config["sha256"], digest.Seldom())
    ends = Ends(config["address"], config["port"], config["peers"], config["rate_limit"])
    swarm = Swarm(config["file"], made, ends, whole=True)
    # Only now: who reads it may connect at once.
    _write(config["torrent"], made)
    try:
        patience, idle = config["patience_seconds"], config["idle_seconds"]
        give(swarm, set(ends.peers), patience, idle, digest.Seldom())
    finally:
        swarm.leave()
    return 0
