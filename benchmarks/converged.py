"""What a converged `llamarig up` costs on 1, 3 and 6 made hosts, beside the same checks in Ansible.

Run it as root from a checkout: .venv/bin/python benchmarks/converged.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date

import playbook
import table
from cost import Run, niced
from fleet import REPO, deployed, started

from llamarig.errors import UserError
from llamarig.rehearsal import machine

COUNTS = (1, 3, 6)
ROUNDS = 3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Command = Callable[[int], Run]


def measure(commands: Mapping[str, Command]) -> dict[str, dict[int, list[Run]]]:
    """Every command on every number of hosts, in turn, so that a slow minute of the machine is
    everybody's."""
    found: dict[str, dict[int, list[Run]]] = {
        what: {count: [] for count in COUNTS} for what in commands
    }
    for number in range(1, ROUNDS + 1):
        for count in COUNTS:
            for what, command in commands.items():
                run = command(count)
                found[what][count].append(run)
                print(f"round {number}: {what} on {count}: {run.seconds:.2f} s", flush=True)
    return found


def benchmark() -> str:
    """All of it: Ansible, the hosts, the runs; the figures as Markdown."""
    playbook.install()
    print("deploying to one host", flush=True)
    with deployed() as start:
        print(f"starting {max(COUNTS)} hosts from it", flush=True)
        with started(start, max(COUNTS)) as fleet:
            checks = playbook.Playbook(fleet)
            commands = {table.UP: fleet.converged_up, table.PLAYBOOK: checks.run}
            # Once before, so that files are cached and bytecode is written.
            for command in commands.values():
                command(max(COUNTS))
            before, begun = niced(), time.monotonic()
            found = measure(commands)
            beside = (niced() - before) / (time.monotonic() - begun)
    return f"{_setting(beside)}\n\n{table.table(found)}\n\n{table.ratios(found)}"


def _setting(beside: float) -> str:
    """What the figures are to be read with; beside: cores that niced programs of others took."""
    git = ["git", "-C", str(REPO), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{date.today()}, {commit or 'no commit'}, {os.cpu_count()} cores for controller and hosts "
        f"together (others' niced programs took {beside:.1f} of them), {ROUNDS} runs each in turn, "
        f"{playbook.ANSIBLE}."
    )


def _end(number: int, frame: object) -> None:
    """SIGTERM and SIGHUP end it as Ctrl-C does: with the labs removed, which no other one stops."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    for each in SIGNALS:
        signal.signal(each, _end)
    try:
        machine.require_root()
        print(f"\n{benchmark()}")
    except UserError as error:
        print(f"converged: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("converged: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
