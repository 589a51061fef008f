"""What a command against made hosts costs: time, processors, round trips."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal.lab import Lab

# At this level sshd logs a line for each command and each file transfer that a login asks for.
VERBOSE = "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/verbose.conf && systemctl reload ssh"
SESSIONS = "journalctl --sync; journalctl -o cat | grep -c '^Starting session: '"
LIMIT_SECONDS = 3000
GRACE_SECONDS = 10
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    """seconds: on the wall; own: processor seconds of the command's own processes; machine: of all
    that is not niced on this machine, made hosts included; sessions: SSH sessions that each host's
    sshd started for it; output: what it printed."""

    seconds: float
    own: float
    machine: float
    sessions: list[int]
    output: str


def as_root(lab: Lab, host: str, command: str) -> str:
    """What a command prints on a host, where it must succeed."""
    done = lab.ssh(host, command, sudo=True)
    if done.returncode:
        raise UserError(f"{host}: {command}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout.strip()


def measured(
    lab: Lab, hosts: Sequence[str], argv: Sequence[str], environment: Mapping[str, str], cwd: Path
) -> Run:
    """Run a command, which must end well, and say what it cost."""
    before = [_sessions(lab, host) for host in hosts]
    own, busy, begun = _own(), _busy(), time.monotonic()
    output = _run(argv, environment, cwd)
    seconds, own, busy = time.monotonic() - begun, _own() - own, _busy() - busy
    # The second look at the counter is a session as well.
    after = [_sessions(lab, host) - 1 for host in hosts]
    counts = [late - early for early, late in zip(before, after, strict=True)]
    return Run(seconds, own, busy, counts, output)


def _run(argv: Sequence[str], environment: Mapping[str, str], cwd: Path) -> str:
    # A group of its own: all of it can be ended, and Ctrl-C is ours to handle.
    child = subprocess.Popen(
        argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", process_group=0,
    )  # fmt: skip
    try:
        output, _ = child.communicate(timeout=LIMIT_SECONDS)
    except BaseException:
        _end(child)
        raise
    if child.returncode:
        raise UserError(f"{argv[0]} ended with {child.returncode}:\n{output[-3000:].strip()}")
    return output


def _end(child: subprocess.Popen[str]) -> None:
    """End a command with its children. Ansible's workers are in groups of their own: it ends them
    when it is asked to end, and not when it is killed."""
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.communicate(timeout=GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _sessions(lab: Lab, host: str) -> int:
    """SSH sessions that a host's sshd started since it logs them."""
    return int(as_root(lab, host, SESSIONS))


def _own() -> float:
    """Processor seconds of processes that we started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _busy() -> float:
    """Processor seconds of what is not niced on this machine since it was started."""
    user, _, system, _, _, interrupts, soft = _spent()
    return user + system + interrupts + soft


def niced() -> float:
    """Processor seconds of what is niced, which is none of ours."""
    return _spent()[1]


def _spent() -> list[float]:
    words = Path("/proc/stat").read_text().splitlines()[0].split()
    return [int(each) / TICK for each in words[1:8]]
