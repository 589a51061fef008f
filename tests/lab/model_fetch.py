"""`llamarig models get` on one made host, from a hub in this process: what it got, what it cost."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llamarig.rehearsal import disk, hosts
from llamarig.rehearsal.hub import Hub
from llamarig.rehearsal.lab import Lab

HF_HOME = "/data/huggingface"
RECORDS = "/var/lib/llamarig/models"
UNITS = "'llamarig-fetch-*'"
# Bytes a second: a download of 1 GiB takes 18 s, and processors are left for all else.
RATE = 60_000_000
# What an interruption may cost: bytes that were on their way, as a share of the file.
LOST = 0.02
# No command here takes longer; one that hangs fails.
LIMIT_SECONDS = 600
OnHost = Callable[[str], str]


class Fetch:
    """Downloads of one file of one repository, on the host gpu01."""

    def __init__(self, site: Any, lab: Lab, on_host: OnHost, hub: Hub) -> None:
        self.site, self.lab, self.on_host, self.hub = site, lab, on_host, hub
        self.repo, self.file = "", ""

    def of(self, repo: str, file: str) -> Fetch:
        self.repo, self.file = repo, file
        return self

    @property
    def sha256(self) -> str:
        """Of what main names now."""
        return self.hub.content.repositories[self.repo][self.file].sha256

    @property
    def size(self) -> int:
        return self.hub.content.repositories[self.repo][self.file].size

    @property
    def partial(self) -> str:
        return f"{HF_HOME}/llamarig/{self.sha256}.partial"

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "hf_endpoint": self.hub.url, "model_repo": self.repo, "model_file": self.file,
            "model_sha256": None, **changes,
        }  # fmt: skip

    @contextmanager
    def running(self, site: Any = None, **changes: Any) -> Iterator[subprocess.Popen[str]]:
        """The command while it runs; killed if it outlives the block."""
        child = (site or self.site).start("models get", **self.settings(**changes))
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.communicate()

    def get(self, site: Any = None, **changes: Any) -> Any:
        return (site or self.site).run("models get", **self.settings(**changes))

    def faults(self, **values: int) -> None:
        """Set the hub's faults; without any, only its rate stays."""
        wanted = {"slow": RATE, **values}
        self.hub.content.faults.set({name: str(value) for name, value in wanted.items()})

    def faults_left(self) -> int:
        return self.hub.content.faults.times

    def forget(self, *, pins: bool = True) -> None:
        """Leave nothing of a model on the host and, with pins, in the site's lock; count anew."""
        self.on_host(f"systemctl stop {UNITS}; rm -rf {HF_HOME}/hub {HF_HOME}/llamarig {RECORDS}")
        if pins:
            (self.site.folder / "llamarig.lock").unlink(missing_ok=True)
        self.faults()
        self.recount()

    def recount(self) -> None:
        """Count what the hub sends from nothing."""
        self.hub.content.stats(reset=True)

    def until(self, size: int, then: str = "true") -> None:
        """Wait on the host until the job runs and its partial file has so many bytes (an earlier
        run may have left as many), and do something at once."""
        has = f"$(stat -c %s {self.partial} 2>/dev/null || echo 0)"
        runs = f"systemctl is-active -q {UNITS}".replace("'", '"')
        met = f"[ {has} -ge {size} ] && {runs}"
        self.on_host(f"timeout 300 sh -c 'until {met}; do sleep 0.02; done' && {then}")

    def kept(self) -> int:
        """Bytes of the partial file."""
        return int(self.on_host(f"stat -c %s {self.partial} 2>/dev/null || echo 0"))

    def sent(self) -> int:
        """Bytes of files that the hub sent since the last `recount`."""
        return self.hub.content.stats().get("bytes", 0)

    def blobs(self) -> str:
        """What lies in the hub's cache, finished or not, and what is recorded."""
        return self.on_host(
            f"find {HF_HOME}/hub -path '*/blobs/*' 2>/dev/null; ls {RECORDS} 2>/dev/null; true"
        )

    def on_this_machine(self, path: str) -> Path:
        """A path below the host's /data, as this machine sees it."""
        place = disk.mountpoint(hosts.folder(self.lab.id, "gpu01"))
        return place / Path(path).relative_to("/data")

    def check(self, ran: Any, sha256: str | None = None, interruptions: int = 1) -> None:
        """It ended well, with the right bytes where the record says, and few were fetched twice.

        sha256: None: of what main names now.
        """
        wanted = sha256 or self.sha256
        assert ran.code == 0, ran.output
        model = ran.host()["model"]
        assert model["sha256"] == wanted
        assert self.on_host(f"sha256sum {model['path']}").split()[0] == wanted
        assert self.kept() == 0
        assert self.sent() <= self.size * (1 + LOST * interruptions)


def ended(child: subprocess.Popen[str]) -> tuple[int, str]:
    """(exit status, output) of a command, which shows no traceback."""
    output, _ = child.communicate(timeout=LIMIT_SECONDS)
    assert "Traceback" not in output
    return child.returncode, output


def line(ran: Any) -> str:
    """The one line that says why the run failed."""
    assert ran.code == 1, ran.output
    assert "Traceback" not in ran.output
    (found,) = ran.host()["problems"]
    assert "\n" not in found
    return str(found)
