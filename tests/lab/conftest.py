"""Sites, labs and runs for tests on made hosts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import serving
from fleet import Fleet
from made import made_lab

from llamarig.rehearsal import snapshot
from llamarig.rehearsal.lab import Lab

REPO = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 3000

INVENTORY = """
from llamarig.rehearsal.inventory import hosts as _hosts

_changes = {changes!r}
hosts = [
    (_name, {{_key: _of for _key, _of in {{**_data, **_changes}}.items() if _of is not ...}})
    for _name, _data in _hosts()
]
"""


@dataclass(frozen=True)
class Ran:
    """A finished command: its status, its output, the report it wrote."""

    code: int
    output: str
    report: dict[str, Any]

    def host(self, name: str = "gpu01") -> dict[str, Any]:
        found: dict[str, Any] = self.report["hosts"][name]
        return found


def _as_at_a_terminal() -> None:
    """A test run in the background ignores or blocks signals, and children inherit that."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Site:
    """A folder as `llamarig init` leaves it, for the hosts of a lab."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "deploy.py").write_text((REPO / "deploy.py").read_text())

    def inventory(self, **changes: Any) -> Path:
        """Write the lab's inventory with these changes; `...` takes a setting away."""
        path = self.folder / "inventory.py"
        path.write_text(INVENTORY.format(changes=changes))
        return path

    def environment(self, operator: str = "ops") -> dict[str, str]:
        return {**os.environ, "LLAMARIG_LAB": self.lab.id, "LLAMARIG_OPERATOR": operator}

    def start(self, verb: str, operator: str = "ops", **changes: Any) -> subprocess.Popen[str]:
        """Start a command, with its options, and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "llamarig.cli", *verb.split(), str(self.inventory(**changes)),
             "--json", str(self.folder / "report.json")],
            env=self.environment(operator), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
            preexec_fn=_as_at_a_terminal,
        )  # fmt: skip

    def run(self, verb: str, operator: str = "ops", **changes: Any) -> Ran:
        """Run a command to its end."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        child = self.start(verb, operator, **changes)
        output, _ = child.communicate(timeout=LIMIT_SECONDS)
        found = json.loads(report.read_text()) if report.exists() else {"hosts": {}}
        return Ran(child.returncode, output, found)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a snapshot: a host with a proven server. Made once for all files that ask."""
    made, name = Lab(f"base{os.getpid() % 1000}"), f"tested{os.getpid()}"
    try:
        made.up(1, services=True, agreed=lambda question: True)
        ran = Site(tmp_path_factory.mktemp("base"), made).run("up")
        assert ran.code == 0, ran.output
        made.snapshot("gpu01", name)
    finally:
        made.down()
    yield name
    snapshot.remove(name)


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab of the module's own, with hub and git origin; removed whatever happens. Its host is
    empty, or deployed to if the module says FROM_DEPLOYED."""
    name = request.module.__name__.removeprefix("test_").replace("_", "")
    ready = getattr(request.module, "FROM_DEPLOYED", False)
    start = request.getfixturevalue("deployed") if ready else None
    with made_lab(name[:6], 1, snapshot=start, services=True) as made:
        yield made


@pytest.fixture(scope="module")
def fleet(lab: Lab) -> Fleet:
    return Fleet(lab)


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"), lab)


@pytest.fixture
def on_host(lab: Lab) -> Callable[[str], str]:
    """Run a command on the host as root; its output, which must succeed."""

    def run(command: str) -> str:
        done = lab.ssh("gpu01", command, sudo=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    return run


@pytest.fixture
def before(lab: Lab) -> int:
    """The generation that serves when a test begins."""
    return serving.generation(lab)
