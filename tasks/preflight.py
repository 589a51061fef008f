"""Refuse early: everything that can be known before anything is changed."""

from __future__ import annotations

from pyinfra.context import host

from llamarig.display import say
from llamarig.settings import Settings
from llamarig.tasks import (
    api_key,
    doctor,
    model_choice,
    model_look,
    model_room,
    part,
    site,
    tuned_stale,
    web_ui,
)
from llamarig.tasks.arrival import arrive
from llamarig.tasks.facts.own_model import OwnModel
from llamarig.tasks.facts.workstation import Lines, read
from llamarig.tasks.findings import rules
from llamarig.tasks.findings.finding import Rule
from llamarig.tasks.operations import host_lock, refusal
from llamarig.tasks.step import refuse, refused, step


def check() -> None:
    """Settings, connection, privileges, doctor's rules, the model's header; then the lock, that all
    hosts of the site have one API key, and the web UI's page."""
    _check_all()
    _agree()
    _provide()


def check_for_build() -> None:
    """The same, but only for building: the card, its driver and the model may come later."""
    _check_building()
    _provide()


@step("Preflight")
def check_for_model() -> None:
    """The same, but only for the download: compilers, card and driver may come later."""
    _check(rules.MODEL, model=True)


@step("Preflight")
def _check_all() -> None:
    _check(rules.RULES, model=True)


@step("Preflight")
def _check_building() -> None:
    _check(rules.BUILDING, model=False)


# Steps of their own: what a step does is done with the privileges the host had when it began.
@step("Preflight")
def _agree() -> None:
    api_key.agree(name="Agree on the site's API key", settings=site.settings())


@step("Preflight")
def _provide() -> None:
    web_ui.provide(name="Have the web UI's page", settings=site.settings())


def _check(chosen: tuple[Rule, ...], *, model: bool) -> None:
    settings = arrive()
    if not refused(host.name):
        lines = doctor.examine(settings)
        judge(lines, settings, chosen)
        if model and not refused(host.name):
            look(lines, settings)
        if model and not refused(host.name):
            for line in tuned_stale.warnings(read(lines), site.settings()):
                _warn(line)
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


def judge(lines: Lines, settings: Settings, chosen: tuple[Rule, ...]) -> None:
    """Refuse the host for doctor's blockers; say its warnings."""
    found = doctor.findings(lines, settings, chosen)
    for each in found:
        if each.level == "warning":
            _warn(each.line())
    refuse(host.name, [each.line() for each in found if each.level == "blocker"])


def _warn(line: str) -> None:
    """Once: the runs of a rollout that follow its first would repeat it."""
    if not part.follows():
        say(host.name, f"warning: {line}")


def look(lines: Lines, settings: Settings) -> None:
    """Choose the model where that was left to us; refuse one that can't be sped up, or for which
    the disk has no room."""
    if settings.model_path:
        as_root = bool(host.data.get("_sudo"))
        problem = host.get_fact(OwnModel, path=settings.model_path, _sudo=as_root)
    else:
        left, seen = settings.model_quant is not None, read(lines)
        problem = model_choice.choose(seen, settings) if left else None
        problem = problem or model_look.problem(site.settings())
        problem = problem or model_room.problem(site.settings(), seen.disk)
    refuse(host.name, [problem] if problem else [])
