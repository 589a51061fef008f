"""The ways by which a file may get from one made host to others, each timed to the last host."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence

from cost import as_root

from llamarig.errors import UserError
from llamarig.onhost.bundle import build
from llamarig.rehearsal import hosts
from llamarig.rehearsal.lab import Lab

GIVER = "gpu01"
PAYLOAD = "/data/x/payload.bin"
PROGRAM = "/data/x/onhost.pyz"
PORT = 6881
LIMIT_SECONDS = 180


class Hosts:
    """A lab with a giver and takers; `sum` is the payload's sha256."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.sum = lab, ""

    def takers(self, count: int) -> list[str]:
        return [f"gpu{number:02}" for number in range(2, count + 2)]

    def address(self, name: str) -> str:
        return self.lab.state.host(name).address

    def on(self, name: str, command: str) -> str:
        return as_root(self.lab, name, command)

    def begin(self, name: str, command: str) -> subprocess.Popen[bytes]:
        """Start a command as root and leave it running."""
        state = self.lab.state
        line = f"sudo -n sh -c {shlex.quote(command)}"
        argv = hosts.ssh_argv(state, state.host(name), "ops", [line])
        quiet = subprocess.DEVNULL
        return subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet)

    def program(self, name: str) -> None:
        """Put llamarig's on-host programs there."""
        self.write(name, PROGRAM, build()[1])

    def write(self, name: str, path: str, content: bytes) -> None:
        state = self.lab.state
        command = f"sudo -n sh -c 'mkdir -p {path.rpartition('/')[0]}; cat >{path}'"
        argv = hosts.ssh_argv(state, state.host(name), "ops", [command])
        subprocess.run(argv, input=content, check=True, timeout=60)

    def until(self, name: str, test: str) -> None:
        end = time.monotonic() + 30
        while self.lab.ssh(name, test, sudo=True).returncode:
            if time.monotonic() > end:
                raise UserError(f"{name}: {test}: not within 30 s")
            time.sleep(0.1)


def _all(children: Sequence[subprocess.Popen[bytes]], begun: float) -> float:
    """Seconds until the last one is over."""
    for child in children:
        if child.wait(LIMIT_SECONDS):
            raise UserError(f"{child.args}: failed with {child.returncode}")
    return time.monotonic() - begun


def single(fleet: Hosts, takers: list[str]) -> float:
    """Everybody from the giver, over HTTP."""
    server = fleet.begin(GIVER, "cd /data/x && exec timeout 170 python3 -m http.server 8081")
    fleet.until(GIVER, "ss -Hltn sport = 8081 | grep -q .")
    begun = time.monotonic()
    url = f"http://{fleet.address(GIVER)}:8081/payload.bin"
    seconds = _all([fleet.begin(name, f"curl -sf -o {PAYLOAD} {url}") for name in takers], begun)
    fleet.lab.ssh(GIVER, "pkill -f [h]ttp.server", sudo=True)
    server.wait(30)
    return seconds


def chain(fleet: Hosts, takers: list[str]) -> float:
    """From host to host, each passing on what comes: no integrity, no end if one dies."""
    children = []
    for index in range(len(takers) - 1, -1, -1):
        end = f">{PAYLOAD}"
        if index + 1 < len(takers):
            end = f"| tee {PAYLOAD} | nc -N {fleet.address(takers[index + 1])} 9000"
        children.append(fleet.begin(takers[index], f"timeout 120 nc -l 9000 {end}"))
        fleet.until(takers[index], "ss -Hltn sport = 9000 | grep -q .")
    begun = time.monotonic()
    first = fleet.begin(GIVER, f"nc -N {fleet.address(takers[0])} 9000 <{PAYLOAD}")
    return _all([first, *children], begun)


def swarm(fleet: Hosts, takers: list[str]) -> float:
    """llamarig's own: share and take, as the deploy runs them."""
    names = [GIVER, *takers]
    addresses = {name: fleet.address(name) for name in names}

    def told(name: str) -> dict[str, object]:
        peers = [addresses[each] for each in names if each != name]
        return {"address": addresses[name], "port": PORT, "peers": peers, "rate_limit": None}

    share = {**told(GIVER), "file": PAYLOAD, "sha256": fleet.sum, "torrent": "/data/x/torrent",
             "idle_seconds": 20, "patience_seconds": 60}  # fmt: skip
    fleet.write(GIVER, "/data/x/share.json", json.dumps(share).encode())
    fleet.on(GIVER, "rm -f /data/x/torrent")
    giving = fleet.begin(GIVER, f"python3 {PROGRAM} share /data/x/share.json >/data/x/log 2>&1")
    fleet.until(GIVER, "test -e /data/x/torrent")
    metadata = fleet.on(GIVER, "base64 -w0 /data/x/torrent")
    for name in takers:
        take = {
            **told(name), "target": PAYLOAD, "torrent": metadata, "stall_seconds": 30,
            "linger_seconds": 2, "spare_bytes": 0, "slice": [takers.index(name), len(takers)],
        }  # fmt: skip
        fleet.write(name, "/data/x/take.json", json.dumps(take).encode())
    begun = time.monotonic()
    line = f"python3 {PROGRAM} take /data/x/take.json >/data/x/log 2>&1"
    seconds = _all([fleet.begin(name, line) for name in takers], begun)
    giving.wait(60)
    return seconds


WAYS: dict[str, Callable[[Hosts, list[str]], float]] = {
    "single": single, "chain": chain, "swarm": swarm,
}  # fmt: skip
