"""Who reaches the server: its address, its key, and the host's firewall."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.facts.firewall import UNIT
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation


def address(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """An address that the host does not have ends llama-server at every start."""
    wanted = ipaddress.ip_address(settings.address)
    if wanted.is_unspecified or wanted.is_loopback or not seen.addresses:
        return
    if wanted not in (each.ip for each in seen.addresses):
        own = ", ".join(str(each.ip) for each in seen.addresses if _lasting(each.ip))
        found = f"{wanted} is no address of this host (it has {own or 'none but loopback'})"
        yield blocker("bind", found, 'set bind to one of them, or to "lan"')


def key(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Neither a key nor a network in the way."""
    if settings.api_key == "none" and not settings.loopback and not settings.allow_from:
        found = f"none: anyone who reaches port {settings.port} may use the server"
        fix = f'set api_key = "site", or allow_from = ["{_network(seen)}"]'
        yield warning("api_key", found, fix)


def ufw(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Packets that ufw drops, or lets in although allow_from does not name them."""
    if settings.loopback or not seen.ufw.active:
        return
    port, open_by_default = settings.port, seen.ufw.incoming == "allow"
    if not settings.allow_from:
        if not open_by_default and not any(rule.admits(port) for rule in seen.ufw.rules):
            found = f"[], and ufw, which is active, lets nobody in to port {port}"
            yield warning("allow_from", found, f'set allow_from = ["{_network(seen)}"]')
        return
    if open_by_default:
        found = f"ufw lets in what no rule forbids, so others reach port {port} too"
        fix = "ufw default deny incoming (first a rule for your SSH: ufw allow ssh)"
        yield warning("allow_from", found, fix)
    elif any(rule.admits_anybody(port) and not rule.ours for rule in seen.ufw.rules):
        found = f"ufw has a rule, not llamarig's, that lets everybody in to port {port}"
        yield warning("allow_from", found, "ufw status numbered, then ufw delete NUMBER")
    else:
        yield ok("allow_from", f"{', '.join(settings.allow_from)}, by rules in ufw")


def table(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A `flush ruleset` by hand takes our table along, until the next boot or deploy."""
    if settings.loopback or seen.ufw.active or not settings.allow_from:
        return
    if seen.firewall.enabled and not seen.firewall.table:
        found = f"llamarig's table is gone from nftables: everybody reaches port {settings.port}"
        yield warning("allow_from", found, f"systemctl restart {UNIT}")
    else:
        yield ok("allow_from", f"{', '.join(settings.allow_from)}, by a table in nftables")


def firewalld(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """It drops what none of its own zones admits, whatever our table says."""
    if settings.loopback or not seen.firewall.firewalld:
        return
    first = ipaddress.ip_network((settings.allow_from or [_network(seen)])[0])
    rule = f"rule family=ipv{first.version} source address={first} port port={settings.port}"
    yield warning(
        "firewalld",
        f"it is active and llamarig does not manage it; it may keep everybody from {settings.port}",
        f"firewall-cmd --permanent --add-rich-rule='{rule} protocol=tcp accept' && "
        "firewall-cmd --reload",
    )


def _network(seen: Workstation) -> str:
    """The network that the host itself is in, as an example that fits."""
    own = (each.network for each in seen.addresses if each.version == 4 and _lasting(each.ip))
    return str(next(own, "192.168.1.0/24"))


def _lasting(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not ip.is_loopback and not ip.is_link_local


RULES: tuple[Rule, ...] = (address, key, ufw, table, firewalld)
