"""What `llamarig down` takes from a host and what it leaves there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from llamarig.paths import ACCOUNTS, API_KEY, CONFIG
from llamarig.tasks.facts.accounts import AccountState
from llamarig.tasks.facts.leftovers import Leftover
from llamarig.tasks.facts.model_records import RecordedModel
from llamarig.tasks.facts.packages import OwnPackages


class Extent(Enum):
    """How much goes: the service and its access; all of llamarig's; and the model's file too."""

    SERVICE = "service"
    PURGE = "purge"
    MODEL = "purge with model"

    @property
    def purges(self) -> bool:
        return self is not Extent.SERVICE


# What goes with the service alone. Firewall rules are not among what is purged: they go with it.
SERVICE_KINDS = ("job", "runtime", "service", "link", "unit", "firewall", "metrics")


@dataclass(frozen=True)
class Found:
    """All that is known of a host. removable: packages that can go; holds: packages of ours that
    apt holds; folders: those that llamarig made outside of its own; firewall: its rules, in words.
    """

    leftovers: Sequence[Leftover] = ()
    models: Sequence[RecordedModel] = ()
    packages: OwnPackages = field(default_factory=OwnPackages)
    removable: Sequence[str] = ()
    holds: Sequence[str] = ()
    accounts: AccountState = field(default_factory=AccountState)
    folders: Sequence[str] = ()
    firewall: Sequence[str] = ()
    user: str = ""


@dataclass(frozen=True)
class Removal:
    """What goes and what stays, in the order in which it is said."""

    goes: list[Leftover]
    stays: list[Leftover]


def removal(found: Found, extent: Extent) -> Removal:
    """What goes with this extent; what stays says why in its words."""
    goes, stays = [], []
    own = {each.path: each for each in found.models}
    firewall = [Leftover("firewall", each) for each in found.firewall]
    for each in [*found.leftovers, *firewall]:
        if each.kind == "model":
            theirs = own.get(each.name)
            ours = theirs is not None and theirs.folder is not None
            if ours and extent is Extent.MODEL:
                goes.append(each)
            else:
                stays.append(_kept_model(each, ours, extent))
        elif each.kind == "foreign":
            stays.append(each)
        elif extent.purges or each.kind in SERVICE_KINDS:
            goes.append(_told(each))
        else:
            stays.append(_told(each))
    more = [*_packages(found, extent), *_accounts(found, extent), *_folders(found)]
    for each, going in more:
        (goes if going and extent.purges else stays).append(each)
    return Removal(goes, stays)


def _told(each: Leftover) -> Leftover:
    if each.name == CONFIG:
        return Leftover(each.kind, each.name, f"with the site's API key, {API_KEY}", each.size)
    return each


def _kept_model(each: Leftover, ours: bool, extent: Extent) -> Leftover:
    if not ours:
        words = "the owner's own (model_path)"
    else:
        words = "--with-model removes it" if extent.purges else ""
    return Leftover(each.kind, each.name, words, each.size)


Judged = list[tuple[Leftover, bool]]


def _packages(found: Found, extent: Extent) -> Judged:
    sizes, going = dict(found.packages.sizes), set(found.removable)
    judged: Judged = [(Leftover("hold", name), True) for name in found.holds]
    for name, size in sizes.items():
        goes = name in going
        words = "something else needs it, or it is held" if extent.purges and not goes else ""
        judged.append((Leftover("package", name, words, size), goes))
    return judged


def _accounts(found: Found, extent: Extent) -> Judged:
    known = found.accounts
    going = set(known.removable)
    judged: Judged = [(_account(name), True) for name in known.removable]
    for name in sorted((known.ours & known.there) - going):
        judged.append((_account(name, "somebody else is in it"), False))
    service = f"user {found.user}"
    here = any(each.kind not in ("foreign", "model") for each in found.leftovers)
    if here and service in known.there - known.ours:
        words = f"{ACCOUNTS} does not say that llamarig made it"
        judged.append((_account(service, words if extent.purges else ""), False))
    return judged


def _account(name: str, words: str = "") -> Leftover:
    kind, _, rest = name.partition(" ")
    return Leftover(kind, rest, words)


def _folders(found: Found) -> Judged:
    return [(Leftover("folder", each, "if it is empty then"), True) for each in found.folders]
