"""Our own table of nftables on a host, and whether firewalld is at work beside it."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from llamarig.paths import CONFIG, STATE

TABLE = "inet llamarig"
FILE = f"{CONFIG}/firewall.nft"
UNIT = "llamarig-firewall.service"
UNIT_PATH = f"/etc/systemd/system/{UNIT}"
# What `nft list table` printed right after FILE was loaded.
LISTED = f"{STATE}/firewall.listed"


@dataclass(frozen=True)
class FirewallState:
    """table: the kernel has it; unchanged: with the rules that were loaded, as nft listed them
    then; enabled: it is loaded at boot; firewalld: that one is active."""

    table: bool = False
    unchanged: bool = False
    enabled: bool = False
    firewalld: bool = False


class Firewall(FactBase[FirewallState]):
    """What the kernel and systemd have, whatever the files say. Read as root."""

    @staticmethod
    def default() -> FirewallState:
        return FirewallState()

    def command(self) -> str:
        # A login's PATH may lack /usr/sbin.
        listed = f"PATH=$PATH:/usr/sbin:/sbin nft list table {TABLE} 2>/dev/null"
        return (
            f"{listed} >/dev/null && echo table; "
            f"{listed} | cmp -s - {LISTED} && echo unchanged; "
            f"systemctl is-enabled -q {UNIT} 2>/dev/null && echo enabled; "
            "systemctl is-active -q firewalld.service 2>/dev/null && echo firewalld; true"
        )

    def process(self, output: list[str]) -> FirewallState:
        table = "table" in output
        return FirewallState(
            table, table and "unchanged" in output, "enabled" in output, "firewalld" in output
        )
