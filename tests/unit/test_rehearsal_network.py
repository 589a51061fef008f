"""Subnets, addresses and names of labs."""

from __future__ import annotations

import pytest

from llamarig.errors import UserError
from llamarig.rehearsal import firewall, network


def test_a_free_machine_gets_the_first_subnet() -> None:
    assert network.choose_subnet(["192.0.2.2/24", "127.0.0.1/8"]) == "10.77.0.0/24"


@pytest.mark.parametrize(
    "taken",
    ["10.77.0.0/24", "10.77.0.1/24", "10.77.0.200", "10.77.0.128/25", "10.76.0.0/15"],
)
def test_what_overlaps_is_left_alone(taken: str) -> None:
    if taken == "10.76.0.0/15":  # somebody routes all of what we could choose from
        with pytest.raises(UserError, match="in use"):
            network.choose_subnet([taken])
    else:
        assert network.choose_subnet([taken]) == "10.77.1.0/24"


def test_other_labs_are_passed_over() -> None:
    taken = [f"10.77.{number}.0/24" for number in (0, 1, 3)]
    assert network.choose_subnet(taken) == "10.77.2.0/24"


def test_ipv6_does_not_matter() -> None:
    assert network.choose_subnet(["fd00::/8"]) == "10.77.0.0/24"


def test_addresses() -> None:
    assert network.address("10.77.4.0/24", 0) == "10.77.4.1"
    assert network.address("10.77.4.0/24", 1) == "10.77.4.11"
    assert network.address("10.77.4.0/24", 200) == "10.77.4.210"


def test_interface_names_fit_the_kernel() -> None:
    longest = "a" * 10
    assert len(network.interface(longest)) <= 15
    assert longest in network.interface(longest)


def _chain(**more: str) -> dict[str, dict[str, str]]:
    return {"chain": {"family": "ip", "table": "filter", "name": "C", "policy": "drop", **more}}


def test_a_dropping_firewall_is_seen() -> None:
    ruleset = [
        {"metainfo": {"version": "1"}},
        _chain(hook="forward"),
        _chain(hook="input", family="inet", table="fw"),
    ]
    assert list(firewall.dropping(ruleset)) == [("forward", "ip filter"), ("input", "inet fw")]


@pytest.mark.parametrize(
    "chain",
    [
        _chain(hook="forward", policy="accept"),
        _chain(hook="output"),
        _chain(hook="forward", family="ip6"),
        _chain(hook="forward", table="llamarig_abc123"),
        _chain(),
    ],
)
def test_what_does_not_drop_our_packets_is_not_reported(chain: dict[str, dict[str, str]]) -> None:
    assert list(firewall.dropping([chain])) == []


def test_a_subnet_overlaps_what_holds_one_of_its_addresses() -> None:
    assert network.overlaps("10.77.0.0/24", ["10.77.0.1/24"])
    assert network.overlaps("10.77.3.0/24", ["fd00::2/64", "10.64.0.0/10"])
    assert not network.overlaps("10.77.0.0/24", ["10.77.1.1/24", "fd00::2/64"])
