"""Who reaches the server's port: rules in ufw where that is active, else a table of our own."""

from __future__ import annotations

import ipaddress
from collections.abc import Generator, Sequence
from ipaddress import IPv4Network, IPv6Network

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig.settings import Settings
from llamarig.tasks import nftables, toolchain, ufw
from llamarig.tasks.facts.generation import Generation, Generations
from llamarig.tasks.facts.ufw import Ufw

# The hosts for which this run has planned rules already.
_planned: set[str] = set()


def admit(name: str, settings: Settings, *, also_live: bool, ports: Sequence[int] = ()) -> None:
    """Let the networks of allow_from reach the port, and nobody else. Call it like an operation.

    also_live: before a switch, when the port of what is live counts as well. ports: more of them,
    such as that of the generation a rollback returns to.
    """
    again = host.name in _planned
    _planned.add(host.name)
    if settings.allow_from and not again and not host.get_fact(Ufw).active:
        toolchain.packages([nftables.PACKAGE], "Install nftables")
    rules(name=name, settings=settings, also_live=also_live, ports=tuple(ports), again=again)


@operation()
def rules(
    settings: Settings, also_live: bool, ports: Sequence[int], again: bool
) -> Generator[PyinfraCommand, None, None]:
    """Have the rules, in one of the two places alone. again: a step before this one in the same
    run had them for more ports, so that a plan need not name them twice."""
    if not settings.allow_from and also_live:
        host.noop("rules of earlier settings stay until the switch")
        return
    live = _live_port()
    if settings.allow_from and again and not state.is_executing:
        if live not in (None, settings.port, *ports):
            yield StringCommand(f"true  # port {live} is let go of after the switch")
        return
    wanted = {settings.port, *ports} | ({live} if also_live and live else set())
    yield from _having(sources(settings.allow_from), wanted)


def _having(networks: list[str], ports: set[int]) -> Generator[PyinfraCommand, None, None]:
    """The new place first, then the other one is cleared: never is there none."""
    if not networks:
        yield from _nothing()
    elif host.get_fact(Ufw).active:
        yield from ufw.have((network, port) for network in networks for port in ports)
        yield from nftables.gone()
    else:
        yield from nftables.have(nftables.table(networks, ports))
        yield from ufw.gone()


def _nothing() -> Generator[PyinfraCommand, None, None]:
    yield from ufw.gone()
    yield from nftables.gone()


@operation()
def gone() -> Generator[PyinfraCommand, None, None]:
    """Have no rule of ours anywhere. The package nftables stays."""
    yield from _nothing()


def sources(networks: Sequence[str]) -> list[str]:
    """The networks in the words of ufw and nft: none inside of another, an address without /32.

    ["10.0.0.0/8", "10.1.0.0/16", "192.168.1.5/32"] -> ["10.0.0.0/8", "192.168.1.5"]
    """
    parsed = [ipaddress.ip_network(each) for each in networks]
    v4 = ipaddress.collapse_addresses([each for each in parsed if isinstance(each, IPv4Network)])
    v6 = ipaddress.collapse_addresses([each for each in parsed if isinstance(each, IPv6Network)])
    return [_word(each) for each in v4] + [_word(each) for each in v6]


def _word(network: IPv4Network | IPv6Network) -> str:
    one = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if one else str(network)


def _live_port() -> int | None:
    """The port of the generation that `current` names."""
    live: Generation | None = host.get_fact(Generations).live
    port = live.manifest.get("address", {}).get("port") if live else None
    return port if isinstance(port, int) else None
