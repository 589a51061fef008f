"""The operations of `llamarig down`. Each reads what is there and takes that away, so that a run
that was cut off anywhere is finished by the next one. What tells what is llamarig's goes last."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from importlib.resources import files as package_files

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.paths import LOCK, STATE
from llamarig.settings import Settings
from llamarig.tasks.facts.apt import HeldPackages
from llamarig.tasks.facts.model_records import ModelRecords
from llamarig.tasks.facts.packages import RecordedPackages, purge
from llamarig.tasks.model_prune import tidied
from llamarig.tasks.operations.apt_packages import APT_LOCK_SECONDS
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.removal_look import leftovers, made_folders, removable_packages
from llamarig.tasks.removal_packages import AptRefusesError

Commands = Generator[PyinfraCommand, None, None]
APT_REFUSES = (
    "packages: apt refuses; `apt-get check` says why; mend it, then run the same command again"
)


def _of(settings: Settings, *kinds: str) -> list[str]:
    return [each.name for each in leftovers(settings) if each.kind in kinds]


def _remove(*paths: str) -> StringCommand:
    return StringCommand(shlex.join(["rm", "-rf", "--", *paths]))


def _remove_folder(path: str) -> StringCommand:
    """All but what is mounted in it."""
    text = package_files("llamarig.templates").joinpath("remove-folder.sh").read_text()
    return StringCommand(shlex.join(["sh", "-c", text, "sh", path]))


@operation()
def stopped(settings: Settings) -> Commands:
    """Stop jobs, then the server: the last words of a proof's job start it."""
    found = leftovers(settings)
    jobs = [each.name for each in found if each.kind == "job"]
    if jobs:
        yield StringCommand(shlex.join(["systemctl", "stop", "--", *jobs]))
    services = [each.name for each in found if each.kind == "service"]
    running = [each.name for each in found if each.kind == "service" and each.words != "inactive"]
    # A job may just have started it.
    if running or (jobs and services):
        yield StringCommand(shlex.join(["systemctl", "stop", "--", *services]))
    if not jobs and not running:
        host.noop("nothing of llamarig's runs")


@operation()
def disabled(settings: Settings) -> Commands:
    """Remove llamarig's units and all links to them."""
    units = [each.rpartition("/")[2] for each in _of(settings, "unit")]
    files = _of(settings, "unit", "link", "runtime")
    if not files:
        host.noop("no unit of llamarig's")
        return
    if units:
        yield StringCommand(f"{shlex.join(['systemctl', 'disable', '--now', '--', *units])}; true")
    every = [each.rpartition("/")[2] for each in files]
    forget = shlex.join(["systemctl", "reset-failed", "--", *sorted(set(every))])
    remove = shlex.join(["rm", "-f", "--", *files])
    yield StringCommand(f"{remove} && systemctl daemon-reload && {{ {forget} 2>/dev/null; true; }}")


@operation()
def forgotten_by_apt(settings: Settings) -> Commands:
    """Let go of held packages, and remove sources, preferences and configuration of ours."""
    known = host.get_fact(HeldPackages)
    names, files = sorted(known.ours & known.held), _of(settings, "apt")
    if names:
        yield StringCommand(shlex.join(["apt-mark", "unhold", *names]))
    if files:
        yield _remove(*files)
    if not names and not files:
        host.noop("apt was told nothing")


@operation()
def models_gone() -> Commands:
    """Remove the files that llamarig brought to the hub's cache, and what names them there."""
    brought = [each for each in host.get_fact(ModelRecords) if each.folder]
    for each in brought:
        assert each.folder
        folder, path = shlex.quote(each.folder), shlex.quote(each.path)
        # The links first: they tell which repository it was.
        yield StringCommand(
            f"if [ -d {folder} ]; then find {folder} -type l | while IFS= read -r link; do "
            f'if [ "$(readlink -f "$link")" = {path} ]; then rm -f "$link"; fi; done; fi; '
            f"rm -f {path} {path}.lock; if [ -d {folder} ]; then {tidied(each.folder)}; fi"
        )
    if not brought:
        host.noop("no model of llamarig's")


@operation()
def packages_gone() -> Commands:
    """Remove the packages that llamarig installed, but for those that something else needs."""
    if host.get_fact(RecordedPackages).interrupted:
        yield StringCommand("DEBIAN_FRONTEND=noninteractive dpkg --configure -a")
    try:
        names = removable_packages()
    except AptRefusesError:
        # What says which they are must not go before them.
        yield failure(APT_REFUSES)
        return
    if not names:
        host.noop("no package that could go")
        return
    yield StringCommand(purge(names, "-y", "-o", f"DPkg::Lock::Timeout={APT_LOCK_SECONDS}"))


@operation()
def folders_gone(settings: Settings) -> Commands:
    """Remove llamarig's folders, then those that it made for others and that are empty; what says
    what is llamarig's comes last."""
    found = _of(settings, "partial", "folder")
    rest = [each for each in found if each != STATE]
    made = made_folders()
    for path in rest:
        yield _remove_folder(path)
    for path in made:
        name = shlex.quote(path)
        yield StringCommand(f"if [ -d {name} ]; then rmdir -- {name} 2>/dev/null; fi; true")
    if STATE in found:
        yield _remove_folder(STATE)
        yield _remove(LOCK)
    if not found:
        host.noop("no folder of llamarig's")
