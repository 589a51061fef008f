"""Made hosts that all serve one proven generation, and `llamarig up` against them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cost import VERBOSE, Run, as_root, measured

from llamarig.errors import UserError
from llamarig.rehearsal import snapshot
from llamarig.rehearsal.lab import Lab

REPO = Path(__file__).resolve().parents[1]
# Ansible's module apt works with it, and would install it on the host itself: a change.
FOR_ANSIBLE = "apt-get -q update && apt-get -qy install --no-install-recommends python3-apt"
INVENTORY = """
from llamarig.rehearsal.inventory import hosts as _hosts

hosts = _hosts()[:{count}]
"""


class Fleet:
    """The hosts of a lab with a site of their own; an inventory for each number of them."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        shutil.copy(REPO / "deploy.py", folder)

    def names(self, count: int) -> list[str]:
        return [host.name for host in self.lab.state.hosts[:count]]

    def inventory(self, count: int) -> Path:
        """The inventory of a site that has no more than the first hosts."""
        path = self.folder / f"first{count}.py"
        path.write_text(INVENTORY.format(count=count))
        return path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "LLAMARIG_LAB": self.lab.id, "LLAMARIG_OPERATOR": "ops"}

    def up(self, count: int) -> tuple[Run, dict[str, Any]]:
        """`llamarig up`, which must end well; its cost, and the report's part per host."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "llamarig.cli", "up", str(self.inventory(count))]
        run = measured(
            self.lab, self.names(count), [*argv, "--json", str(report)], self.environment(),
            self.folder,
        )  # fmt: skip
        return run, json.loads(report.read_text())["hosts"]

    def converged_up(self, count: int) -> Run:
        """`llamarig up` that finds nothing to do on any host."""
        run, hosts = self.up(count)
        if changed := [name for name, entry in hosts.items() if entry["changed"]]:
            raise UserError(f"up changed {', '.join(changed)}, so this is no converged fleet")
        return run


@contextmanager
def deployed() -> Iterator[str]:
    """The name of a snapshot of one host that was deployed to; removed afterwards."""
    lab, name = Lab(f"base{os.getpid() % 1000}"), f"converged{os.getpid()}"
    with ExitStack() as cleaning, _made(lab) as folder:
        lab.up(1, services=True, agreed=lambda question: True)
        for command in (VERBOSE, FOR_ANSIBLE):
            as_root(lab, "gpu01", command)
        Fleet(lab, folder).up(1)
        lab.snapshot("gpu01", name)
        cleaning.callback(snapshot.remove, name)
        # The machine has better things to do from here on.
        lab.down()
        yield name


@contextmanager
def started(start: str, count: int) -> Iterator[Fleet]:
    """Hosts that start from a snapshot, in a lab that is removed afterwards."""
    lab = Lab(f"conv{os.getpid() % 1000}")
    with _made(lab) as folder:
        lab.up(count, snapshot=start, services=True, agreed=lambda question: True)
        fleet = Fleet(lab, folder)
        # Brings llamarig.lock into the new site, and settles what a copied host may want done.
        fleet.up(count)
        yield fleet


@contextmanager
def _made(lab: Lab) -> Iterator[Path]:
    """A folder for a lab's site; lab and folder are gone in the end, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="llamarig-converged-") as folder:
        try:
            yield Path(folder)
        finally:
            lab.down()
