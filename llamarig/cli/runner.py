"""pyinfra as a child process: its argv, its life and what it left in the report."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llamarig import report, secret_report
from llamarig.cli.checks import check
from llamarig.cli.inventory import HostData, group_data_folders, own_environment
from llamarig.cli.watching import Watcher, watching
from llamarig.display import say
from llamarig.typed_password import Typed

PR_SET_PDEATHSIG = 1
# Seconds between asking the child to end and ending it.
GRACE_SECONDS = 3
WAKE_SECONDS = 0.5
EARLY = "pyinfra ended early, the lines above say why"
NO_PREFLIGHT = "deploy.py has no preflight.check(), which every run begins with"


@dataclass(frozen=True)
class Result:
    """hosts: the report's part per host. Of a dry run it holds the operations as `planned`.
    secret: what the run was asked to hand over and the report must not hold. rollout: how several
    runs were made one."""

    hosts: dict[str, dict[str, Any]]
    interrupted: bool = False
    secret: str | None = field(default=None, repr=False)
    rollout: dict[str, Any] | None = None


def argv(
    inventory: Path,
    what: str,
    *,
    dry: bool,
    limit: tuple[str, ...] = (),
    data: Mapping[str, str] | None = None,
) -> list[str]:
    """pyinfra's command line. `--json` keeps its own tables off the terminal.

    data: what a story is told besides the hosts' own data; its keys begin with _, and it stands in
    a process list.
    """
    command = [sys.executable, "-m", "llamarig.cli.child", str(inventory), what, "--json"]
    command.append("--dry" if dry else "--yes")
    for folder in group_data_folders(inventory):
        command += ["--group-data", str(folder)]
    for pattern in limit:
        command += ["--limit", pattern]
    for key, value in (data or {}).items():
        command += ["--data", f"{key}={value}"]
    return command


def _stay_mortal() -> None:
    """Runs in the child: SIGTERM ends it, whatever signals we inherited, and so does our end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _output(child: subprocess.Popen[bytes]) -> bytes:
    """All that the child prints. Waking up now and then: a Ctrl-C that does not interrupt a read
    that blocks (seen, and not explained) is noticed all the same."""
    while True:
        try:
            return child.communicate(timeout=WAKE_SECONDS)[0]
        except subprocess.TimeoutExpired:
            continue


def _end(child: subprocess.Popen[bytes]) -> None:
    """On SIGINT pyinfra waits for the running operation, a build perhaps. Ending it is safe: what
    the host holds for us (lock, password) goes with the connection."""
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def run(
    inventory: Path,
    what: str,
    *,
    dry: bool = False,
    limit: tuple[str, ...] = (),
    data: Mapping[str, str] | None = None,
    checked: tuple[Path, Mapping[str, HostData]] | None = None,
    watcher: Watcher | None = None,
    typed: Typed | None = None,
) -> Result:
    """Run a deploy against an inventory; the child owns the terminal and dies with us.

    checked: the site and the hosts that `limit` names, where they were checked before. watcher:
    who owns the terminal instead. typed: what was, and will be, typed for sudo.
    """
    site, chosen = checked or check(inventory, limit)
    inventory = inventory.absolute()
    command = argv(inventory, what, dry=dry, limit=limit, data=data)
    with tempfile.TemporaryDirectory(prefix="llamarig-") as folder:
        path = Path(folder) / "report.json"
        private = Path(folder) / "secret"
        environment = {**own_environment(), report.VARIABLE: str(path), "PYINFRA_PROGRESS": "off"}
        environment[secret_report.VARIABLE] = str(private)
        interrupted = False
        lent = (typed or Typed()).lent(environment)
        with watching(watcher, path, environment) as stderr, lent as files:
            child = subprocess.Popen(
                command,
                cwd=site,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=files,
                preexec_fn=_stay_mortal,
            )
            try:
                output = _output(child)
            except KeyboardInterrupt:
                interrupted, output = True, b""
                _end(child)
        hosts = json.loads(path.read_text())["hosts"] if path.exists() else {}
        secret = secret_report.take(private)
    known = list(hosts)
    hosts = {name: hosts.get(name, report.empty()) for name in chosen}
    if interrupted:
        return Result(hosts, interrupted)
    document = _document(output)
    # The exit status proves nothing: it may be another host's. But it has a reason.
    excused = child.returncode == 0 or any(map(report.sick, hosts.values()))
    early = document is None or not excused
    for name, entry in hosts.items():
        if not report.sick(entry) and (early or name not in known):
            line = EARLY if early else NO_PREFLIGHT
            entry["problems"].append(line)
            say(name, line)
    if dry and document:
        _add_plan(hosts, document["plan"])
    return Result(hosts, secret=secret)


def _add_plan(hosts: dict[str, dict[str, Any]], plan: list[dict[str, Any]]) -> None:
    """The operations that would change a host; one with a problem is left alone."""
    for each in plan:
        for name in each["hosts_with_change"]:
            if not report.sick(hosts[name]):
                planned = {"name": each["name"], "outcome": "planned"}
                hosts[name]["operations"].append(planned)


def _document(output: bytes) -> dict[str, Any] | None:
    """pyinfra's JSON, the last thing on its stdout: the site's own code may print before it.
    None when pyinfra ended early."""
    text = output.decode(errors="replace")
    try:
        document, _ = json.JSONDecoder().raw_decode(text, text.rindex('{"plan": '))
    except ValueError:
        return None
    return dict(document)
