"""What stands in a host's way: read once, judged by rules. `llamarig doctor`; `up` does it too."""

from __future__ import annotations

from dataclasses import asdict

from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import host

from llamarig import report
from llamarig.settings import Settings
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.workstation import (
    Lines,
    OperatorSections,
    RootSections,
    arguments,
    missing,
    read,
)
from llamarig.tasks.findings import rules
from llamarig.tasks.findings.finding import Finding, Rule, blocker
from llamarig.tasks.step import refused, step


def examine(settings: Settings) -> Lines:
    """The raw lines of every fact that the rules look at: two round trips."""
    asked = arguments(settings)
    # The step's own arguments were fixed before sudo was arranged, so sudo is said here.
    as_root = bool(host.data.get("_sudo"))
    root: Lines = host.get_fact(RootSections, arguments=asked, _sudo=as_root)
    operator: Lines = host.get_fact(OperatorSections, arguments=asked, _sudo=False)
    return {**root, **operator}


def findings(
    lines: Lines, settings: Settings, chosen: tuple[Rule, ...] = rules.RULES
) -> list[Finding]:
    """What the rules make of a host; one that can't be read whole is a blocker of its own."""
    lost = [
        blocker("host", f"nothing was read about {name}", "run llamarig doctor on the host again")
        for name in missing(lines)
    ]
    try:
        return lost + rules.judge(read(lines), settings, chosen)
    except FactProcessError as error:
        fix = "is it a Debian or Ubuntu machine? else send us what `doctor --save` writes"
        return [*lost, blocker("host", f"can't be read: {error}", fix)]


@step("Doctor")
def run() -> None:
    """Record every finding, and what it rests on. Takes no lock, changes nothing."""
    settings = arrive()
    if refused(host.name):
        return
    lines = examine(settings)
    report.record(
        host.name,
        findings=[asdict(each) for each in findings(lines, settings)],
        evidence=lines,
        settings=settings.model_dump(mode="json"),
    )
