"""@fake hosts with a memory: a story whose hosts keep, in files, what was staged and proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llamarig.cli.inventory import HostData

STORY = """
import time
from pathlib import Path

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.display import progress
from llamarig.tasks import part
from llamarig.tasks.arrival import arrive
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step


def memory(what):
    return Path("memory", f"{what} {host.name.rpartition('/')[2]}")


@operation()
def begin():
    host.noop("lock taken")
    yield from ()


@operation()
def stage():
    if memory("staged").exists():
        host.noop("staged")
        return
    if state.is_executing:
        time.sleep(host.data.site_seconds)
        if host.data.get("site_fails") == "stage":
            yield failure("hf_home: 1.0 GiB free at /data, 18.0 GiB needed")
            return
        memory("staged").touch()
    yield StringCommand("true")


@operation()
def prove():
    live = memory("live").exists()
    if part.looks():
        report.record(host.name, staged=1, settled=live)
    proof = {"verdict": "pass", "speedup": 1.98, "interval": [1.93, 2.03], "acceptance": 0.8}
    if live:
        report.record(host.name, smoke=proof)
        host.noop("current and proven")
        return
    if state.is_executing:
        for done in range(1, 13):
            progress(host.name, "prove generation 1", "measure", done, 12, "answers")
            time.sleep(host.data.site_seconds / 12)
        if host.data.get("site_fails") == "prove":
            report.record(host.name, smoke={"verdict": "fail", "speedup": 1.01})
            yield failure("1.01x [0.99, 1.03], below the gate of 1.7x", "nothing serves")
            return
        memory("live").touch()
        report.record(host.name, smoke=proof, url=f"http://{host.name.rpartition('/')[2]}:8080")
    yield StringCommand("true")


@step("Preflight")
def check():
    arrive()
    begin(name="Take the host's lock")


@step("Server")
def staging():
    stage(name="Stage a generation")


@step("Proof")
def proving():
    if not part.stages_only():
        prove(name="Prove the candidate")


Path("memory").mkdir(exist_ok=True)
check()
staging()
proving()
"""


def names(count: int) -> list[str]:
    return [f"@fake/gpu{number:02}" for number in range(1, count + 1)]


class FakeFleet:
    """A site in `folder`; data: what differs from host to host."""

    def __init__(self, folder: Path, count: int, seconds: float = 0) -> None:
        self.folder, self.seconds = folder, seconds
        self.data: dict[str, dict[str, Any]] = {name: {} for name in names(count)}
        (folder / "deploy.py").write_text(STORY)

    @property
    def inventory(self) -> Path:
        """The inventory file, written anew."""
        path = self.folder / "inventory.py"
        hosts = [(name, {**self._same(), **own}) for name, own in self.data.items()]
        path.write_text(f"hosts = {hosts!r}\n")
        return path

    def _same(self) -> dict[str, Any]:
        answers = {"echo missing": ["root", "0", "works"], "uname -s": ["Linux"]}
        return {"fake_responses": answers, "fake_delay": 0, "fake_delay_jitter": 0,
                "site_seconds": self.seconds}  # fmt: skip

    def hosts(self) -> dict[str, HostData]:
        """What the checks of an inventory would hand on; they refuse @fake hosts."""
        return {name: HostData(name, (), data, "fake") for name, data in self.data.items()}

    def live(self) -> list[str]:
        """The hosts that serve."""
        memory = self.folder / "memory"
        return sorted(path.name.split()[1] for path in memory.glob("live *"))
