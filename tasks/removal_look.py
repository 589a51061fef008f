"""What there is on the current host for `llamarig down`."""

from __future__ import annotations

from pyinfra.context import host

from llamarig.paths import FOLDERS
from llamarig.settings import Settings
from llamarig.tasks.facts.accounts import Accounts
from llamarig.tasks.facts.apt import HeldPackages
from llamarig.tasks.facts.firewall import TABLE, Firewall
from llamarig.tasks.facts.folders import MissingFolders
from llamarig.tasks.facts.leftovers import Leftover, Leftovers
from llamarig.tasks.facts.model_records import ModelRecords, RecordedModel
from llamarig.tasks.facts.packages import Purged, RecordedPackages
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.facts.ufw import Ufw
from llamarig.tasks.removal import Extent, Found, Removal, removal
from llamarig.tasks.removal_packages import removable


def survey(settings: Settings, extent: Extent) -> Removal:
    """What goes from the current host, and what stays there.

    Raises:
        AptRefusesError: whether packages can go is not known.
    """
    purges, packages = extent.purges, host.get_fact(RecordedPackages)
    # Before dpkg has finished, apt can't tell.
    own = packages.names if purges else []
    made = made_folders() if purges else []
    holds = host.get_fact(HeldPackages)
    missing: list[str] = host.get_fact(MissingFolders, paths=tuple(made)) if made else []
    models: list[RecordedModel] = host.get_fact(ModelRecords)
    found = Found(
        leftovers=leftovers(settings),
        models=models,
        packages=packages,
        removable=removable_packages() if purges and not packages.interrupted else own,
        holds=sorted(holds.ours & holds.held),
        accounts=host.get_fact(Accounts),
        folders=[each for each in made if each not in missing],
        firewall=_rules(),
        user=settings.service_user,
    )
    return removal(found, extent)


def _rules() -> list[str]:
    """The firewall's rules of ours, in words."""
    found = [f"ufw: from {source} to port {port}" for source, port in host.get_fact(Ufw).ours]
    return found + ([f"nftables: table {TABLE}"] if host.get_fact(Firewall).table else [])


def homes(settings: Settings) -> tuple[str, ...]:
    """Every hf_home that is or was used on the current host."""
    known = {each.home for each in host.get_fact(ModelRecords) if each.home}
    return tuple(sorted(known | {settings.hf_home}))


def leftovers(settings: Settings) -> list[Leftover]:
    """All that lies on the current host, models included."""
    models = tuple(each.path for each in host.get_fact(ModelRecords))
    found: list[Leftover] = host.get_fact(Leftovers, homes=homes(settings), models=models)
    return found


def removable_packages() -> list[str]:
    """The recorded packages of the current host that can go, those aside that its owner holds.

    Raises:
        AptRefusesError: apt is in no state to remove any.
    """
    known, holds = host.get_fact(RecordedPackages), host.get_fact(HeldPackages)
    held = known.held - holds.ours
    names = [each for each in known.names if each not in held]
    return removable(names, lambda some: host.get_fact(Purged, names=tuple(some)))


def made_folders() -> list[str]:
    """The folders that llamarig made outside of its own, the deepest first."""
    known = (host.get_fact(TextFile, path=FOLDERS) or "").splitlines()
    return sorted((each for each in known if each.startswith("/")), key=len, reverse=True)
