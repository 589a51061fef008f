"""The hosts a user names for a new site, checked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
# Group names of the inventory that init writes: --limit would take them for the group.
_GROUPS = ("all", "hosts", "inventory")


@dataclass(frozen=True)
class SiteHost:
    """A host of a site: its name in llamarig, and the address that SSH goes to."""

    name: str
    address: str


def parse(texts: Iterable[str]) -> tuple[list[SiteHost], list[str]]:
    """Hosts given as NAME=ADDRESS or ADDRESS, and one line for each fault."""
    hosts: list[SiteHost] = []
    faults: list[str] = []
    for text in texts:
        name, sign, address = text.strip().partition("=")
        host = SiteHost(name.strip(), address.strip() if sign else name.strip())
        found = _faults(host, named=bool(sign))
        found += [
            f"{what} twice"
            for what, twice in (
                (f"the name {host.name}", any(host.name == each.name for each in hosts)),
                (
                    f"the address {host.address}",
                    any(host.address == each.address for each in hosts),
                ),
            )
            if twice and not found
        ]
        faults += [f"host {text!r}: {fault}" for fault in found]
        hosts.append(host)
    return hosts, faults


def _faults(host: SiteHost, *, named: bool) -> list[str]:
    faults = []
    if named and not _NAME.fullmatch(host.name):
        faults.append("a name is letters, digits, - and ., at most 63 of them")
    elif host.name in _GROUPS:
        faults.append(f"{host.name} is the name of a group")
    if not _is_address(host.address):
        faults.append(_why(host.address))
    return faults


def _why(address: str) -> str:
    if "@" in address:
        return "an address has no user in it, say --user"
    if re.fullmatch(r".*[A-Za-z0-9\]]:\d+", address):
        return "an address has no port in it, say --port"
    return f"{address!r} is neither an IP address nor a host name"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        # All digits and dots, yet no IP address: a slip such as 192.168.1.300.
        if len(text) > 253 or re.fullmatch(r"[\d.]+", text):
            return False
        return all(_LABEL.fullmatch(label) for label in labels)
    return True
