"""What a lab's hosts find on their network: a stand-in hub and a git origin.

Both are detached processes of this machine, bound to the lab's own address, and live until
`stop`. A process is ours when its command line says so; a pid alone may be somebody else's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from llamarig.errors import UserError
from llamarig.rehearsal import model, origin

START_SECONDS = 20.0
STOP_SECONDS = 5.0
KINDS = ("good", "bad", "none")


def prepare() -> None:
    """Make what is served: the git origin and the small models (some seconds the first time)."""
    origin.ensure()
    for kind in KINDS:
        model.cached(kind)


def model_facts(kind: str = "good") -> dict[str, Any]:
    """What an inventory needs to know of a small model; size in bytes."""
    path = model.cached(kind)
    return {
        "repo": model.REPO, "file": path.name, "sha256": model.SHA256[kind],
        "size": path.stat().st_size,
    }  # fmt: skip


def start(lab_folder: Path, bind: str) -> dict[str, Any]:
    """Start what does not run; {"hub": url, "git": url, "model": facts}.

    Raises:
        UserError: one of them does not come up; the line names its log.
    """
    prepare()
    folder = lab_folder / "services"
    folder.mkdir(parents=True, exist_ok=True)
    hub_port = _serve(folder, "hub", bind, lambda port: _hub(lab_folder, bind, port))
    git_port = _serve(folder, "git", bind, lambda port: _git(folder, bind, port))
    return {
        "hub": f"http://{bind}:{hub_port}",
        "git": f"git://{bind}:{git_port}/{origin.REPOSITORY}",
        "model": model_facts(),
    }


def stop(lab_folder: Path) -> None:
    """End what runs, however far a start came."""
    folder = lab_folder / "services"
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            known = json.loads(path.read_text())
            if _ours(known):
                _end(int(known["pid"]))
        path.unlink(missing_ok=True)


def _hub(lab_folder: Path, bind: str, port: int) -> list[str]:
    files = [f"{model.REPO}:{model.FILES[kind]}={model.cached(kind)}" for kind in KINDS]
    return [sys.executable, "-m", "llamarig.rehearsal.hub", "--bind", bind, "--port", str(port),
            "--folder", str(lab_folder), *files]  # fmt: skip


def _git(folder: Path, bind: str, port: int) -> list[str]:
    # Its workers are separate programs; the pid file tells the lab's own daemon from others.
    return ["git", "daemon", f"--base-path={origin.folder()}", "--export-all", "--reuseaddr",
            f"--listen={bind}", f"--port={port}", f"--pid-file={folder / 'git.pid'}",
            str(origin.folder())]  # fmt: skip


def _free_port(bind: str) -> int:
    with socket.socket() as probe:
        probe.bind((bind, 0))
        return int(probe.getsockname()[1])


def _ours(known: dict[str, Any]) -> bool:
    try:
        line = Path(f"/proc/{known['pid']}/cmdline").read_bytes()
    except OSError:
        return False
    words = line.decode(errors="replace").rstrip("\0").split("\0")
    # `git daemon` execs git's own binary, which keeps the arguments.
    return words[-2:] == [str(each) for each in known["argv"][-2:]]


def _answers(bind: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((bind, port), timeout=1):
        return True
    return False


def _serve(folder: Path, name: str, bind: str, argv: Any) -> int:
    """Keep or start one service; its port."""
    record = folder / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        known = json.loads(record.read_text())
        if known["bind"] == bind and _ours(known) and _answers(bind, known["port"]):
            return int(known["port"])
    port = _free_port(bind)
    command = argv(port)
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    known = {"pid": child.pid, "port": port, "bind": bind, "argv": command}
    record.write_text(json.dumps(known))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        if _answers(bind, port):
            return port
        time.sleep(0.05)
    raise UserError(f"the lab's {name} service did not start; see {log}")


def _end(pid: int) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signum)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            if not Path(f"/proc/{pid}").exists():
                return
            time.sleep(0.05)
