"""Rules about who reaches the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import TYPE_CHECKING, Any, cast

import pytest

from llamarig.settings import Settings
from llamarig.tasks.facts.addresses import Interface
from llamarig.tasks.facts.firewall import FirewallState
from llamarig.tasks.facts.ufw import UfwRule, UfwState
from llamarig.tasks.findings import reach

if TYPE_CHECKING:
    from llamarig.tasks.facts.workstation import Workstation

OWN = ["127.0.0.1/8", "::1/128", "192.168.7.11/24", "fe80::1/64", "fd00::11/64"]
NETWORK = ["192.168.7.0/24"]
NOTHING = FirewallState()


def rule(source: str, port: str = "8080", comment: str = "") -> UfwRule:
    return UfwRule("allow", "tcp", port, "0.0.0.0/0", "any", source, "in", comment)


@dataclass(frozen=True)
class Seen:
    """The part of a Workstation that these rules look at; by default a host without a firewall."""

    addresses: list[Interface] = field(default_factory=lambda: [*map(ip_interface, OWN)])
    ufw: UfwState = field(default_factory=UfwState)
    firewall: FirewallState = NOTHING


def ufw(*rules: UfwRule, incoming: str = "deny") -> Seen:
    return Seen(ufw=UfwState(True, True, incoming, list(rules)))


def said(seen: Seen, **settings: Any) -> list[tuple[str, str]]:
    chosen = Settings(**settings)
    return [
        (each.level, each.line())
        for judge in reach.RULES
        for each in judge(cast("Workstation", seen), chosen)
    ]


def test_a_host_as_most_are() -> None:
    assert said(Seen()) == []
    ((level, line),) = said(Seen(), allow_from=NETWORK)
    assert (level, line) == ("ok", "allow_from: 192.168.7.0/24, by a table in nftables")


@pytest.mark.parametrize(
    "bind",
    ["lan", "localhost", "0.0.0.0", "::", "127.0.0.2", "::1", "192.168.7.11", "fd00:0:0::11"],
)
def test_addresses_that_a_server_can_listen_on(bind: str) -> None:
    assert said(Seen(), bind=bind) == []


def test_another_hosts_address_is_a_blocker() -> None:
    assert said(Seen(), bind="192.168.7.99") == [
        (
            "blocker",
            "bind: 192.168.7.99 is no address of this host (it has 192.168.7.11, fd00::11); "
            'set bind to one of them, or to "lan"',
        )
    ]
    assert said(Seen(addresses=[]), bind="192.168.7.99") == [], "the host did not say"


def test_no_key_and_no_network_is_everybody() -> None:
    line = (
        "api_key: none: anyone who reaches port 8080 may use the server; "
        'set api_key = "site", or allow_from = ["192.168.7.0/24"]'
    )
    assert said(Seen(), api_key="none") == [("warning", line)]
    assert said(Seen(), api_key="none", bind="localhost") == []
    ((level, _),) = said(Seen(), api_key="none", allow_from=NETWORK)
    assert level == "ok"


def test_ufw_that_lets_nobody_in() -> None:
    line = (
        "allow_from: [], and ufw, which is active, lets nobody in to port 8080; "
        'set allow_from = ["192.168.7.0/24"]'
    )
    assert said(ufw(rule("0.0.0.0/0", "22"))) == [("warning", line)]
    assert said(ufw(rule("0.0.0.0/0", "22")), bind="localhost") == []
    assert said(ufw(rule("192.168.0.0/16", "8000:8100"))) == []
    assert said(ufw(incoming="allow")) == []


def test_ufw_that_lets_in_more_than_allow_from() -> None:
    ours = rule("192.168.7.0/24", comment="llamarig")
    assert said(ufw(ours), allow_from=NETWORK) == [
        ("ok", "allow_from: 192.168.7.0/24, by rules in ufw")
    ]
    ((level, line),) = said(ufw(ours, incoming="allow"), allow_from=NETWORK)
    assert level == "warning"
    assert "ufw lets in what no rule forbids, so others reach port 8080 too" in line
    ((level, line),) = said(ufw(ours, rule("0.0.0.0/0")), allow_from=NETWORK)
    assert level == "warning"
    assert "a rule, not llamarig's, that lets everybody in to port 8080" in line
    everybody = rule("0.0.0.0/0", comment="llamarig")
    ((level, _),) = said(ufw(everybody), allow_from=["0.0.0.0/0"])
    assert level == "ok"


def test_a_table_that_was_flushed() -> None:
    gone = Seen(firewall=FirewallState(table=False, enabled=True))
    ((level, line),) = said(gone, allow_from=NETWORK)
    assert level == "warning"
    assert line.endswith("; systemctl restart llamarig-firewall.service")
    there = Seen(firewall=FirewallState(table=True, enabled=True))
    assert [level for level, _ in said(there, allow_from=NETWORK)] == ["ok"]


@pytest.mark.parametrize(
    ("settings", "rich"),
    [
        ({}, "rule family=ipv4 source address=192.168.7.0/24 port port=8080 protocol=tcp accept"),
        (
            {"allow_from": ["fd00::/8"], "port": 9000},
            "rule family=ipv6 source address=fd00::/8 port port=9000 protocol=tcp accept",
        ),
    ],
)
def test_firewalld_is_left_to_its_owner(settings: dict[str, Any], rich: str) -> None:
    seen = Seen(firewall=FirewallState(firewalld=True))
    (line,) = [line for level, line in said(seen, **settings) if level == "warning"]
    assert "llamarig does not manage it" in line
    assert f"firewall-cmd --permanent --add-rich-rule='{rich}' && firewall-cmd --reload" in line
    assert said(seen, bind="localhost") == []
