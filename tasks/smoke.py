"""The smoke test as a story of its own: `llamarig smoke`, or
`pyinfra INVENTORY llamarig.tasks.smoke.run`."""

from __future__ import annotations

from llamarig.tasks import preflight, server


def run() -> None:
    """Preflight, then measure what is live once more."""
    preflight.check()
    server.smoke()
