"""systemctl and journalctl, each call bounded in time."""

from __future__ import annotations

import os
import subprocess

TIMEOUT_SECONDS = 90
RUNTIME_UNITS = "/run/systemd/system"
# llama-server at verbosity 4 prints some hundred lines while it loads and some dozen a request.
MOST_LINES = 20000


def _call(*argv: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(argv, 124, "", f"{argv[0]} took too long")


def start(unit: str) -> str:
    """Start a unit, also one that failed too often before; what systemd said when it could not,
    empty when it did."""
    _call("systemctl", "reset-failed", unit)
    done = _call("systemctl", "start", unit)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip() or f"systemctl start {unit} failed").splitlines()[0][:300]


def stop(unit: str) -> None:
    _call("systemctl", "stop", unit)
    _call("systemctl", "reset-failed", unit)


def reload() -> None:
    _call("systemctl", "daemon-reload")


def show(unit: str, name: str) -> str:
    """One property of a unit, such as ActiveState or MainPID; empty if it has none."""
    return _call("systemctl", "show", unit, "-p", name, "--value").stdout.strip()


def journal(unit: str, since: float) -> list[str]:
    """What the unit and systemd said of it since an epoch time, the last MOST_LINES lines."""
    return _journal("-u", unit, f"--since=@{since:.0f}")


def said(unit: str, since: float) -> list[str]:
    """What the unit's own processes printed since an epoch time; where they printed nothing, what
    systemd said of it."""
    return _journal(f"_SYSTEMD_UNIT={unit}", f"--since=@{since:.0f}") or journal(unit, since)


def printed(unit: str) -> list[str]:
    """What this start of the unit printed, and no earlier one; the last MOST_LINES lines."""
    invocation = show(unit, "InvocationID")
    return _journal(f"_SYSTEMD_INVOCATION_ID={invocation}") if invocation else []


def _journal(*which: str) -> list[str]:
    found = _call("journalctl", "-n", str(MOST_LINES), "-o", "cat", "--no-pager", *which)
    return found.stdout.splitlines()


def install(unit: str, source: str) -> None:
    """Put a unit file where it is gone after a reboot."""
    os.makedirs(RUNTIME_UNITS, exist_ok=True)
    with open(source, encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(RUNTIME_UNITS, unit), "w", encoding="utf-8") as file:
        file.write(text)
    reload()


def remove(unit: str) -> None:
    """Stop a runtime unit and take its file away."""
    stop(unit)
    try:
        os.unlink(os.path.join(RUNTIME_UNITS, unit))
    except FileNotFoundError:
        return
    reload()
