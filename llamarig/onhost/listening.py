"""Whether a unit's own process answers at its address: /health may be somebody else's."""

from __future__ import annotations

import contextlib
import os
import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from llamarig.onhost import systemd
from llamarig.onhost.errors import Stop

POLL_SECONDS = 0.3
NOT_LOADED = 4
# What llama-server prints when it gives up (facts: each seen on b11434), as part of the line.
KNOWN_ENDS = (
    "model doesn't contain MTP layers", "couldn't bind HTTP server socket",
    "failed to open GGUF file", "data is not within the file bounds",
    "failed to read key-value pairs", "failed to read magic", "invalid magic characters",
    "invalid argument", "unknown speculative type", "quantized V cache requires flash_attn",
    "out of memory", "error while loading shared libraries",
)  # fmt: skip


def reason(lines: list[str]) -> str:
    """The line of a server's log that says why it ended; the last one if none is known."""
    for line in lines:
        if any(known in line for known in KNOWN_ENDS):
            return line.strip()[:300]
    return (lines[-1].strip()[:300] if lines else "it printed nothing") or "it printed nothing"


def url(address: dict[str, Any], path: str) -> str:
    """The URL at which the host itself reaches a server; address: bind, port, scheme."""
    any_address = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    bind = address["bind"]
    place = any_address.get(bind, f"[{bind}]" if ":" in bind else bind)
    return f"{address.get('scheme', 'http')}://{place}:{address['port']}{path}"


def opener() -> urllib.request.OpenerDirector:
    """What asks a server on its own host."""
    # Its certificate names the host as others know it, not as it reaches itself.
    unchecked = ssl._create_unverified_context()
    # A proxy of the machine's has no business here.
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
    )


def status(address: dict[str, Any], path: str = "/health") -> int:
    """The HTTP status, 0 where nothing answers."""
    try:
        with opener().open(url(address, path), timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, HTTPException, ValueError):
        return 0


def owns_port(pid: int, port: int) -> bool:
    """Whether this process listens on the port."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{name}") in inodes:
                    return True
    return False


def healthy(unit: str, address: dict[str, Any]) -> bool:
    """Whether the unit's own process says at this moment that it is ready."""
    pid = int(systemd.show(unit, "MainPID") or 0)
    return bool(pid) and status(address) == 200 and owns_port(pid, int(address["port"]))


def start(what: str, unit: str, address: dict[str, Any], timeout_s: float, setting: str) -> int:
    """Start a unit and wait until its own process is ready; its pid.

    what: its name in a sentence. setting: the one that names its port.

    Raises:
        Stop: systemd refused it, it ended, it took too long, or another program has its port.
    """
    since = time.time() - 1
    problem = systemd.start(unit)
    if problem and systemd.show(unit, "ActiveState") not in ("active", "activating"):
        said = systemd.said(unit, since)
        known = reason(said) if any(end in line for line in said for end in KNOWN_ENDS) else problem
        raise Stop(f"{what} did not start: {known}", NOT_LOADED)
    restarts = systemd.show(unit, "NRestarts")
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ended = systemd.show(unit, "ActiveState") not in ("active", "activating")
        if ended or systemd.show(unit, "NRestarts") != restarts:
            why = reason(systemd.said(unit, since))
            raise Stop(f"{what} ended while loading: {why}", NOT_LOADED)
        if status(address) == 200:
            pid = int(systemd.show(unit, "MainPID") or 0)
            if owns_port(pid, int(address["port"])):
                return pid
            raise Stop(
                f"{setting}: {address['port']} is answered by another program; set another port",
                NOT_LOADED,
            )
        time.sleep(POLL_SECONDS)
    raise Stop(f"{what} did not load within {timeout_s:.0f} s", NOT_LOADED)
