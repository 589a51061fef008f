"""Taking llamarig away from hosts: `llamarig down`, or
`pyinfra INVENTORY llamarig.tasks.down.look` (and the other functions here that take no argument).

Nothing that doctor finds keeps a host from it: it works where a card or a disk is gone.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import report
from llamarig.settings import Settings
from llamarig.tasks import check, firewall, removal_look, site
from llamarig.tasks import removal_steps as steps
from llamarig.tasks.arrival import arrive
from llamarig.tasks.operations import accounts, host_lock, refusal
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.removal import Extent, Removal
from llamarig.tasks.removal_packages import AptRefusesError
from llamarig.tasks.step import refuse, refused, step


def look() -> None:
    """List what goes with the service. Reads, never changes, takes no lock."""
    _look(Extent.SERVICE)


def look_purge() -> None:
    """The same, of all that is llamarig's."""
    _look(Extent.PURGE)


def look_purge_with_model() -> None:
    """The same, of all that is llamarig's and of its models."""
    _look(Extent.MODEL)


def service() -> None:
    """Stop serving; what makes the next `up` quick stays."""
    begin()
    stop(Extent.SERVICE)


def purge() -> None:
    """Remove all that is llamarig's, but for the models."""
    begin()
    stop(Extent.PURGE)


def purge_with_model() -> None:
    """Remove all that is llamarig's."""
    begin()
    stop(Extent.MODEL)


@step("Preflight")
def begin() -> None:
    """Settings, connection, privileges; then the lock."""
    settings = arrive()
    if refused(host.name):
        refusal.refuse_host(name="Leave the host alone", lines=refused(host.name))
        return
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


def _look(extent: Extent) -> None:
    @step("Preflight")
    def first() -> None:
        arrive()

    @step("Down")
    def story() -> None:
        try:
            known = removal_look.survey(site.settings(), extent)
        except AptRefusesError:
            refuse(host.name, [steps.APT_REFUSES])
        else:
            _report(extent, known, removed=False)

    first()
    story()


def stop(extent: Extent) -> None:
    """The service and its access; with a purge the rest, what names the rest last."""

    @step("Down")
    def story() -> None:
        settings = site.settings()
        steps.stopped(name="Stop the service and its jobs", settings=settings)
        firewall.gone(name="Remove the firewall's rules")
        check.gone(name="Remove the check by the timer")
        steps.disabled(name="Remove the units", settings=settings)
        if extent.purges:
            _everything(settings, extent)
        gone(name="See that it is gone", settings=settings, extent=extent)

    story()


def _everything(settings: Settings, extent: Extent) -> None:
    steps.forgotten_by_apt(name="Take back what apt was told", settings=settings)
    if extent is Extent.MODEL:
        steps.models_gone(name="Remove the models")
    steps.packages_gone(name="Remove the packages")
    accounts.gone(name="Remove the accounts")
    steps.folders_gone(name="Remove the folders", settings=settings)


def _report(extent: Extent, known: Removal, *, removed: bool) -> None:
    report.record(
        host.name,
        down={
            "extent": extent.value,
            "removed": removed,
            "goes": [asdict(each) for each in known.goes],
            "stays": [asdict(each) for each in known.stays],
        },
    )


@operation()
def gone(settings: Settings, extent: Extent) -> Generator[PyinfraCommand, None, None]:
    """Fail where something that should have gone is still there. Changes nothing."""
    if not state.is_executing:
        return
    known = removal_look.survey(settings, extent)
    left = [each for each in known.goes if each.words != "if it is empty then"]
    _report(extent, known, removed=not left)
    if left:
        names = ", ".join(f"{each.kind} {each.name}" for each in left[:5])
        yield failure(f"down: still there: {names}; run the same command again")
        return
    host.noop("nothing is left of it")
