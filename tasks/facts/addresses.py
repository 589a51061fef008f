"""The IP addresses of a host."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Interface, IPv6Interface

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

Interface = IPv4Interface | IPv6Interface
_ADDRESS = re.compile(r"\d+: +\S+ +inet6? ([0-9a-f.:]+)(?: peer \S*?)?(/\d+)?(?: |$)")


class Addresses(FactBase[list[Interface]]):
    """Every address with its network, loopback's and those of links without a cable too."""

    @staticmethod
    def default() -> list[Interface]:
        return []

    def command(self) -> str:
        return "ip -o address show 2>/dev/null; true"

    def process(self, output: list[str]) -> list[Interface]:
        found = [match for line in output if (match := _ADDRESS.match(line))]
        try:
            return [ipaddress.ip_interface(each[1] + (each[2] or "")) for each in found]
        except ValueError as error:
            raise FactProcessError(f"an address that is none: {error}") from None
