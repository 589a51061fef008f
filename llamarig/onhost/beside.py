"""What else of llamarig's is at work on the host, since two can't measure at once."""

from __future__ import annotations

import subprocess

from llamarig.onhost import systemd

CHECK_UNIT = "llamarig-check.service"
# Jobs that stop the live server, or load the machine with another one.
MEASURING = ("prove", "switch", "bench", "tune")
SECONDS = 30


def running(*kinds: str) -> str | None:
    """The first running job of these kinds, `llamarig-prove-3.service`; None without one."""
    argv = ["systemctl", "list-units", "--plain", "--no-legend", "--full",
            "--state=active,activating,deactivating"]  # fmt: skip
    argv += [f"llamarig-{kind}-*.service" for kind in kinds]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return next((line.split()[0] for line in done.stdout.splitlines() if line.strip()), None)


def stop_check() -> None:
    """End a check by the timer: whoever asks for a measurement goes first."""
    if systemd.show(CHECK_UNIT, "ActiveState") in ("active", "activating"):
        systemd.stop(CHECK_UNIT)
