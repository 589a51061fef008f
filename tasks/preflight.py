"""Refuse early: everything that can be known before anything is changed."""

from __future__ import annotations

from pyinfra.context import host

from llamarig.display import say
from llamarig.settings import Settings
from llamarig.tasks import doctor
from llamarig.tasks.arrival import arrive
from llamarig.tasks.findings import rules
from llamarig.tasks.findings.finding import Rule
from llamarig.tasks.operations import host_lock, refusal
from llamarig.tasks.step import refuse, refused, step


@step("Preflight")
def check() -> None:
    """Settings, connection, privileges, doctor's rules; then the host's lock."""
    _check(rules.RULES)


@step("Preflight")
def check_for_build() -> None:
    """The same, but only for building: the card and its driver may come later."""
    _check(rules.BUILDING)


def _check(chosen: tuple[Rule, ...]) -> None:
    settings = arrive()
    if not refused(host.name):
        judge(settings, chosen)
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


def judge(settings: Settings, chosen: tuple[Rule, ...]) -> None:
    """Refuse the host for doctor's blockers; say its warnings."""
    found = doctor.findings(doctor.examine(settings), settings, chosen)
    for each in found:
        if each.level == "warning":
            say(host.name, f"warning: {each.line()}")
    refuse(host.name, [each.line() for each in found if each.level == "blocker"])
