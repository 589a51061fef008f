"""Running the machine's own programs: bounded, without a shell, failing with one plain line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from llamarig.errors import UserError

TIMEOUT = 120
# Debian's `su` leaves root with a user's PATH, in which mount's and apt's helpers are not found.
ADMIN_PATHS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """PATH with the administrators' folders."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *ADMIN_PATHS])


def environment() -> dict[str, str]:
    """What the machine's programs are run with."""
    return {**os.environ, "PATH": search_path()}


def run(
    *argv: str, given: str | None = None, check: bool = True, timeout: float = TIMEOUT
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; a failure names the program and its last line of output."""
    try:
        result = subprocess.run(
            argv,
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env=environment(),
        )
    except FileNotFoundError:
        raise UserError(f"{argv[0]} is not installed; `llamarig lab up` installs it") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"`{' '.join(argv)}` ran longer than {timeout:.0f} s") from None
    if check and result.returncode:
        raise UserError(
            f"`{' '.join(argv)}` failed with exit status {result.returncode}: {last_line(result)}"
        )
    return result


def last_line(result: subprocess.CompletedProcess[str]) -> str:
    """The last line that a program had to say, its complaints before its results."""
    lines = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it printed nothing"


def output(argv: Sequence[str]) -> str:
    """What a program prints, without the surrounding blanks."""
    return run(*argv).stdout.strip()
