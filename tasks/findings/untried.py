"""What of this host's deploy nobody who wrote llamarig could run: said, not hidden.

To be shortened as somebody reports that it worked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.findings.finding import Finding, Rule, ok

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation


def untried(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """No warning: it may well work, and nothing on the host is wrong."""
    if settings.backend != "cuda" or seen.machine is None:
        return
    things = ["a proof on a real card"]
    if seen.machine.distribution == "ubuntu":
        things.append("Ubuntu")
    if settings.cuda_source in ("auto", "nvidia"):
        things.append("NVIDIA's repository")
    if settings.driver == "install":
        things.append("installing the driver")
    yield ok("untried", f"planned by tests, never run by us: {', '.join(things)}")


RULES: tuple[Rule, ...] = (untried,)
