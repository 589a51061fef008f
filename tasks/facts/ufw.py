"""ufw on a host: whether it is active, its policy, and the rules that were added to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

COMMENT = "llamarig"
ANYBODY = frozenset({"0.0.0.0/0", "::/0"})
# How ufw keeps a rule: action, protocol, port, destination, source's port, source, two names of
# application profiles for some, direction with the interface for some, the comment in hexadecimal.
_TUPLE = re.compile(
    r"### tuple ### (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)(?: \S+ \S+)?"
    r" ((?:in|out)\S*)(?: comment=([0-9a-f]+))?"
)
_INCOMING = re.compile(r"Default: (\w+) \(incoming\)")


@dataclass(frozen=True)
class UfwRule:
    """A rule in ufw's own words. ports: "any", "8080" or "77,9000:9010"; source: a network, or an
    address alone; direction: in, out, or one of them and an interface ("in_eth0")."""

    action: str
    protocol: str
    ports: str
    destination: str
    source_ports: str
    source: str
    direction: str
    comment: str = ""

    @property
    def plain(self) -> tuple[str, int] | None:
        """(source, port) of a rule of the one form that llamarig makes; None: another form."""
        one = self.ports.isdigit() and self.source_ports == "any" and self.direction == "in"
        if one and (self.action, self.protocol) == ("allow", "tcp") and self.destination in ANYBODY:
            return self.source, int(self.ports)
        return None

    @property
    def ours(self) -> bool:
        return self.comment == COMMENT and self.plain is not None

    def admits(self, port: int) -> bool:
        """Whether it lets somebody in to a TCP port."""
        return (
            self.action.partition("_")[0] in ("allow", "limit")
            and self.direction.startswith("in")
            and self.protocol in ("any", "tcp")
            and (self.ports == "any" or any(_within(port, each) for each in self.ports.split(",")))
        )

    def admits_anybody(self, port: int) -> bool:
        """Whether it does so from everywhere, on every interface."""
        return self.admits(port) and self.source in ANYBODY and self.direction == "in"


def _within(port: int, ports: str) -> bool:
    low, _, high = ports.partition(":")
    return int(low) <= port <= int(high or low)


@dataclass(frozen=True)
class UfwState:
    """incoming: what becomes of packets that no rule names: deny, reject, allow; empty where ufw
    is not active. rules: in ufw's order, IPv4 first; kept while ufw is not active, too."""

    installed: bool = False
    active: bool = False
    incoming: str = ""
    rules: list[UfwRule] = field(default_factory=list)

    @property
    def ours(self) -> list[tuple[str, int]]:
        """(source, port) of the rules that llamarig made."""
        return [rule.plain for rule in self.rules if rule.ours and rule.plain]


class Ufw(FactBase[UfwState]):
    """Read as root. `ufw show added` can't tell "from any IPv4" from "from anywhere"; the files
    that ufw keeps its rules in can."""

    @staticmethod
    def default() -> UfwState:
        return UfwState()

    def command(self) -> str:
        return (
            "PATH=$PATH:/usr/sbin; command -v ufw >/dev/null && { echo installed; "
            "LC_ALL=C ufw status verbose; "
            "grep -h '^### tuple ###' /etc/ufw/user.rules /etc/ufw/user6.rules; } 2>/dev/null; true"
        )

    def process(self, output: list[str]) -> UfwState:
        incoming = next((found[1] for line in output if (found := _INCOMING.match(line))), "")
        rules = [_rule(found) for line in output if (found := _TUPLE.fullmatch(line.strip()))]
        return UfwState("installed" in output, "Status: active" in output, incoming, rules)


def _rule(found: re.Match[str]) -> UfwRule:
    action, protocol, ports, destination, source_ports, source, direction, comment = found.groups()
    try:
        text = bytes.fromhex(comment or "").decode(errors="replace")
    except ValueError:
        text = ""
    return UfwRule(action, protocol, ports, destination, source_ports, source, direction, text)
