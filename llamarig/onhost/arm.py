"""One arm of the comparison: a candidate unit that is started, asked and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llamarig.onhost import load, systemd
from llamarig.onhost.errors import Stop

HOST = "127.0.0.1"
POLL_SECONDS = 0.3
# What llama-server prints when it gives up (facts: each seen on b11434), as part of the line.
KNOWN_ENDS = (
    "model doesn't contain MTP layers", "couldn't bind HTTP server socket",
    "failed to open GGUF file", "data is not within the file bounds",
    "failed to read key-value pairs", "failed to read magic", "invalid magic characters",
    "invalid argument", "unknown speculative type", "quantized V cache requires flash_attn",
    "out of memory", "error while loading shared libraries",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One answer's figures, all of them the server's own; foreign: share others used."""

    tps: float
    predicted_n: int
    draft_n: int
    draft_n_accepted: int
    foreign: float


def reason(lines: list[str]) -> str:
    """The line of a server's log that says why it ended; the last one if none is known."""
    for line in lines:
        if any(known in line for known in KNOWN_ENDS):
            return line.strip()[:300]
    return (lines[-1].strip()[:300] if lines else "it printed nothing") or "it printed nothing"


def _get(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def owns_port(pid: int, port: int) -> bool:
    """Whether this process listens on the port: /health may be answered by somebody else's."""
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


@dataclass
class Arm:
    """A running candidate."""

    name: str
    unit: str
    port: int
    pid: int
    request_timeout_s: float

    def ask(self, prompt: str, tokens: int) -> Answer:
        """One answer to one prompt, with the recipe's own sampling and a fixed seed.

        Raises:
            Stop: the server ended, or gave no figures.
        """
        body = {
            "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens,
            "seed": 1, "cache_prompt": False, "stream": False,
            "chat_template_kwargs": {"enable_thinking": False},
        }  # fmt: skip
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}/v1/chat/completions", json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        try:
            before = load.now(self.pid)
            with urllib.request.urlopen(request, timeout=self.request_timeout_s) as reply:
                timings: dict[str, Any] = json.load(reply)["timings"]
            after = load.now(self.pid)
            return Answer(
                tps=float(timings["predicted_per_second"]),
                predicted_n=int(timings["predicted_n"]),
                draft_n=int(timings.get("draft_n", 0)),
                draft_n_accepted=int(timings.get("draft_n_accepted", 0)),
                foreign=load.foreign_share(before, after, os.cpu_count() or 1),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Stop(f"{self.name}: the server gave no answer: {error}", 4) from None


def _await(name: str, unit: str, port: int, started: float, timeout_s: float) -> int:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if systemd.show(unit, "ActiveState") not in ("active", "activating"):
            why = reason(systemd.journal(unit, started))
            raise Stop(f"the {name} server ended while loading: {why}", 4)
        if _get(port, "/health") == 200:
            pid = int(systemd.show(unit, "MainPID") or 0)
            if owns_port(pid, port):
                return pid
            raise Stop(f"proof_port: {port} is answered by another program; set another port", 4)
        time.sleep(POLL_SECONDS)
    raise Stop(f"the {name} server did not load within {timeout_s:.0f} s", 4)


@contextlib.contextmanager
def running(name: str, unit_file: str, config: dict[str, Any]) -> Iterator[Arm]:
    """Start an arm's unit and wait until it has loaded; stop it afterwards.

    Raises:
        Stop: it did not load; the line is llama-server's own where it is a known one.
    """
    unit = f"llamarig-candidate-{name}.service"
    started = time.time() - 1
    systemd.install(unit, unit_file)
    try:
        systemd.start(unit)
        pid = _await(name, unit, config["port"], started, config["load_timeout_s"])
        yield Arm(name, unit, config["port"], pid, config["request_timeout_s"])
    finally:
        systemd.remove(unit)
