"""A lab's network: this machine is the controller and the gateway, a bridge is the switch.

    machine  lr-<lab> 10.77.N.1  --veth--  [llamarig-<lab>-sw: br0]  --veth--  [host: eth0]

The bridge and the hosts live in network namespaces of their own; the machine itself sees one
interface of ours.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llamarig.errors import UserError
from llamarig.rehearsal.shell import run

NETNS = Path("/run/netns")
FIRST_HOST = 10
POOL = ipaddress.ip_network("10.77.0.0/16")
IPv4 = ipaddress.IPv4Network


def interface(lab: str) -> str:
    """The machine's interface into the lab: at most fifteen characters."""
    return f"lr-{lab}"


def switch(lab: str) -> str:
    return f"llamarig-{lab}-sw"


def namespace(lab: str, host: str) -> str:
    return f"llamarig-{lab}-{host}"


def choose_subnet(taken: Iterable[str]) -> str:
    """The first /24 of ours that overlaps nothing the machine routes or another lab has."""
    taken = list(taken)
    for candidate in POOL.subnets(new_prefix=24):
        if not overlaps(str(candidate), taken):
            return str(candidate)
    raise UserError(f"every /24 of {POOL} is in use on this machine")


def overlaps(subnet: str, taken: Iterable[str]) -> bool:
    """Whether a subnet shares an address with one of those that are taken."""
    networks = [ipaddress.ip_network(network, strict=False) for network in taken]
    own = IPv4(subnet)
    return any(own.overlaps(network) for network in networks if isinstance(network, IPv4))


def address(subnet: str, number: int) -> str:
    """Address of host `number`, counted from 1; number 0 is the gateway."""
    network = ipaddress.ip_network(subnet)
    return str(network[1] if number == 0 else network[FIRST_HOST + number])


def taken_subnets() -> list[str]:
    """What the machine has addresses in or routes to, the default route aside."""
    found: list[str] = []
    for link in _ip_json("address"):
        for info in link.get("addr_info", []):
            if info.get("family") == "inet":
                found.append(f"{info['local']}/{info['prefixlen']}")
    for route in _ip_json("route", "show", "table", "all"):
        destination = str(route.get("dst", "default"))
        if destination != "default" and ":" not in destination:
            found.append(destination)
    return found


def _ip_json(*arguments: str) -> list[dict[str, Any]]:
    text = run("ip", "-j", "-4", *arguments).stdout.strip()
    parsed: list[dict[str, Any]] = json.loads(text) if text else []
    return parsed


def up(lab: str, subnet: str) -> None:
    """Make the switch and the gateway's interface; what is whole already is kept."""
    if not is_up(lab, subnet):
        down(lab)
        name, port = switch(lab), interface(lab)
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", name, "link", "add", "br0", "type", "bridge",
            "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")  # fmt: skip
        run("ip", "-n", name, "link", "set", "br0", "up")
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "uplink", "netns", name)
        run("ip", "-n", name, "link", "set", "uplink", "master", "br0", "up")
        gateway = address(subnet, 0)
        run("ip", "address", "add", f"{gateway}/24", "dev", port)
        run("ip", "link", "set", port, "up")


def is_up(lab: str, subnet: str) -> bool:
    if not (NETNS / switch(lab)).exists():
        return False
    shown = run("ip", "-4", "address", "show", "dev", interface(lab), "up", check=False)
    ports = run("ip", "-n", switch(lab), "link", "show", "uplink", check=False)
    return f" {address(subnet, 0)}/24 " in shown.stdout and "master br0" in ports.stdout


def down(lab: str) -> None:
    """Remove the switch, the namespaces and the interface, as far as they exist."""
    for path in namespaces(lab):
        remove_namespace(path)
    run("ip", "link", "delete", interface(lab), check=False)


def namespaces(lab: str) -> list[str]:
    """The names of the lab's network namespaces that exist."""
    return sorted(path.name for path in NETNS.glob(f"llamarig-{lab}-*"))


def remove_namespace(name: str) -> None:
    if (NETNS / name).exists() and run("ip", "netns", "delete", name, check=False).returncode:
        # A crash between making the file and mounting the namespace on it leaves a plain file.
        (NETNS / name).unlink(missing_ok=True)


def attach(lab: str, host: str, number: int, subnet: str) -> None:
    """A namespace for a host with eth0 in it, plugged into the switch."""
    detach(lab, host)
    name = namespace(lab, host)
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", switch(lab), "link", "add", host, "type", "veth",
        "peer", "name", "eth0", "netns", name)  # fmt: skip
    third = ipaddress.ip_network(subnet)[0].packed[2]
    hardware = f"02:77:00:00:{third:02x}:{number:02x}"
    run("ip", "-n", name, "link", "set", "eth0", "address", hardware, "up")
    run("ip", "-n", name, "address", "add", f"{address(subnet, number)}/24", "dev", "eth0")
    run("ip", "-n", name, "route", "add", "default", "via", address(subnet, 0))
    plug(lab, host, True)


def detach(lab: str, host: str) -> None:
    run("ip", "-n", switch(lab), "link", "delete", host, check=False)
    remove_namespace(namespace(lab, host))


def plug(lab: str, host: str, connected: bool) -> None:
    """Set a switch port up or down."""
    run("ip", "-n", switch(lab), "link", "set", host, "master", "br0",
        "up" if connected else "down")  # fmt: skip


def plugged(lab: str, host: str) -> bool:
    shown = run("ip", "-j", "-n", switch(lab), "link", "show", host, check=False).stdout.strip()
    return bool(shown) and "UP" in json.loads(shown)[0]["flags"]


def shape(lab: str, host: str, rate: str | None) -> None:
    """Bound a host's link each way: `200mbit`, as tc writes it; None takes the bound away."""
    for place, device in ((switch(lab), host), (namespace(lab, host), "eth0")):
        run("tc", "-n", place, "qdisc", "delete", "dev", device, "root", check=False)
        if rate:
            run("tc", "-n", place, "qdisc", "add", "dev", device, "root",
                "tbf", "rate", rate, "burst", "256kb", "latency", "50ms")  # fmt: skip
