"""What a release's llama-server says it is."""

from __future__ import annotations

import re
import subprocess

from llamarig.onhost.errors import Stop

SECONDS = 30


def _of(unit_file: str) -> str:
    with open(unit_file, encoding="utf-8") as file:
        for line in file:
            if line.startswith("ExecStart="):
                return line.removeprefix("ExecStart=").split()[0]
    raise Stop(f"{unit_file} has no ExecStart")


def version(unit_file: str, build_number: int) -> str:
    """The version line of the binary that a unit starts.

    Raises:
        Stop: it does not run, or is not the build that was asked for.
    """
    binary = _of(unit_file)
    try:
        done = subprocess.run(
            [binary, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Stop(f"{binary} --version: {error}") from None
    printed = (done.stdout + done.stderr)[:4096]
    found = next((line for line in printed.splitlines() if line.startswith("version:")), "")
    if not is_build(found, build_number):
        said = found or printed.strip() or "nothing"
        raise Stop(f"{binary} says {said!r}, build {build_number} expected")
    return found


def is_build(line: str, number: int) -> bool:
    """Whether a version line names this build; b11434 prints `version: 0.6.0-dev (build 11434,
    commit …)`, older ones `version: 11434 (…)`."""
    return re.search(rf"(^version: |\(build ){number}\b", line) is not None
