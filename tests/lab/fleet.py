"""What tests of several made hosts need: bare hosts, what each has, waiting for what happens."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from llamarig.rehearsal.lab import Lab

LIMIT_SECONDS = 300
MODELS = "/data/huggingface"
COMPILES = (
    "systemctl is-active 'llamarig-build-*' && ls /var/lib/llamarig/build/*/build/build.ninja"
)
SHARES = "ss -Hltn sport = :6881"
# As if the host had been installed anew, with its packages.
FORGET_MODEL = f"rm -rf {MODELS}/hub {MODELS}/llamarig /var/lib/llamarig/models"
FORGET_RELEASES = "rm -rf /opt/llamarig/releases /var/lib/llamarig/build"


class Fleet:
    """The hosts of a lab, by name."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def on(self, host: str, command: str) -> str:
        """What a command prints as root on a host; it must succeed."""
        done = self.lab.ssh(host, command, sudo=True)
        assert done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def all(self, hosts: Iterable[str], command: str) -> list[str]:
        return [self.on(host, command) for host in hosts]

    def until(self, host: str, test: str) -> None:
        """Wait until a command succeeds on a host."""
        until(lambda: self.lab.ssh(host, test, sudo=True).returncode == 0, f"{host}: {test}")

    def downloads(self) -> float:
        """How many times the hub has sent all of the model."""
        state = self.lab.state
        assert state.services
        assert state.model
        with urllib.request.urlopen(f"{state.services['hub']}/_stats", timeout=10) as answer:
            found = json.load(answer)
        return float(found.get(f"bytes {state.model['file']}", 0) / state.model["size"])

    def model(self, host: str) -> str:
        """The sha256 of the bytes that a host has under the model's name."""
        return self.on(host, f"sha256sum {MODELS}/hub/models--*/blobs/* | cut -d' ' -f1")

    def release(self, host: str) -> str:
        """The one release of a host, once its server has said who it is."""
        (name,) = self.on(host, "ls /opt/llamarig/releases").split()
        self.on(host, f"/opt/llamarig/releases/{name}/bin/llama-server --version")
        return name


def cut(
    site: Any, verb: str, at: Callable[[Any], object], do: Callable[[], object],
    mend: Callable[[], object], **changes: Any,
) -> tuple[int, str]:  # fmt: skip
    """Run a command; `do` something where it has come to `at`, which gets its process, and let it
    end. Its status and output; `mend` is called whatever happens."""
    child = site.start(verb, **changes)
    try:
        at(child)
        do()
        output, _ = child.communicate(timeout=2 * LIMIT_SECONDS)
    finally:
        child.kill()
        mend()
    return child.returncode, output


def until(happened: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.3)
