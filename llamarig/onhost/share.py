"""A holder's part: give a verified file to the hosts that were named, then stop listening.

`share.json` has file, sha256, torrent (where the metadata is put, for the controller to read),
address, port, peers, rate_limit (bytes a second, or null) and idle_seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from llamarig.onhost import digest, torrent
from llamarig.onhost.files import read_json
from llamarig.onhost.swarm import POLL_SECONDS, Ends, Swarm


def _write(path: str, content: bytes) -> None:
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def give(swarm: Swarm, peers: set[str], idle_s: float, tell: Callable[[int, int], None]) -> None:
    """Until all peers are complete, or nobody was connected for `idle_s` seconds."""
    seen = time.monotonic()
    while time.monotonic() - seen < idle_s:
        status = swarm.look()
        if peers <= swarm.complete:
            return
        if status.num_peers:
            seen = time.monotonic()
        swarm.knock()
        tell(len(swarm.complete & peers), len(peers))
        time.sleep(POLL_SECONDS)


def main(path: str) -> int:
    """Share what the config at `path` names, as long as somebody takes it."""
    config = read_json(path)
    made = torrent.make(config["file"], config["sha256"], digest.Seldom())
    ends = Ends(config["address"], config["port"], config["peers"], config["rate_limit"])
    swarm = Swarm(config["file"], made, ends, whole=True)
    # Only now: who reads it may connect at once.
    _write(config["torrent"], made)
    try:
        give(swarm, set(ends.peers), config["idle_seconds"], digest.Seldom())
    finally:
        swarm.leave()
    return 0
