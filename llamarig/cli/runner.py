"""pyinfra as a child process: its argv, its life and what it left in the report."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llamarig import report
from llamarig.cli.checks import check
from llamarig.cli.inventory import (
    group_data_folders,
    own_environment,
)

PR_SET_PDEATHSIG = 1
# Seconds between asking the child to end and ending it.
GRACE_SECONDS = 3


@dataclass(frozen=True)
class Result:
    """hosts: the report's part per host; code: pyinfra's exit status, which proves nothing.

    plan: pyinfra's operations with the hosts that each would change (only of a dry run).
    """

    hosts: dict[str, dict[str, Any]]
    code: int
    plan: list[dict[str, Any]]
    interrupted: bool = False


def argv(inventory: Path, what: str, *, dry: bool, limit: tuple[str, ...] = ()) -> list[str]:
    """pyinfra's command line. `--json` keeps its own tables off the terminal."""
    command = [sys.executable, "-m", "llamarig.cli.child", str(inventory), what, "--json"]
    command.append("--dry" if dry else "--yes")
    for folder in group_data_folders(inventory):
        command += ["--group-data", str(folder)]
    for pattern in limit:
        command += ["--limit", pattern]
    return command


def _stay_mortal() -> None:
    """Runs in the child: SIGTERM ends it, whatever signals we inherited, and so does our end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(child: subprocess.Popen[bytes]) -> None:
    """On SIGINT pyinfra waits for the running operation, a build perhaps. Ending it is safe: what
    the host holds for us (lock, password) goes with the connection."""
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def run(inventory: Path, what: str, *, dry: bool = False, limit: tuple[str, ...] = ()) -> Result:
    """Run a deploy against an inventory; the child owns the terminal and dies with us."""
    site, chosen = check(inventory, limit)
    inventory = inventory.absolute()
    command = argv(inventory, what, dry=dry, limit=limit)
    with tempfile.TemporaryDirectory(prefix="llamarig-") as folder:
        path = Path(folder) / "report.json"
        environment = {**own_environment(), report.VARIABLE: str(path), "PYINFRA_PROGRESS": "off"}
        child = subprocess.Popen(
            command,
            cwd=site,
            env=environment,
            stdout=subprocess.PIPE,
            preexec_fn=_stay_mortal,
        )
        interrupted = False
        try:
            output, _ = child.communicate()
        except KeyboardInterrupt:
            interrupted, output = True, b""
            _end(child)
        hosts = json.loads(path.read_text())["hosts"] if path.exists() else {}
    for name in chosen:
        # pyinfra itself has said why; a host that is missing from the result is a failure.
        unreached = {**report.empty(), "problems": ["not reached, the lines above say why"]}
        hosts.setdefault(name, unreached)
    return Result(hosts, child.returncode, _plan(output), interrupted)


def _plan(output: bytes) -> list[dict[str, Any]]:
    """pyinfra's JSON names the operations; there is none when no host was left."""
    try:
        return list(json.loads(output)["plan"])
    except (ValueError, KeyError):
        return []
