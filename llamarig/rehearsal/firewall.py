"""A lab's packets and the machine's firewall: one nft table of ours, no other rule touched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from llamarig.rehearsal.network import interface
from llamarig.rehearsal.shell import run


def table(lab: str) -> str:
    return f"llamarig_{lab}"


def up(lab: str, subnet: str) -> None:
    """Let the lab's hosts reach what the machine reaches."""
    # Declared, emptied and filled in one transaction: running it twice changes nothing.
    run(
        "nft",
        "-f",
        "-",
        given=f"""
table ip {table(lab)} {{ }}
delete table ip {table(lab)}
table ip {table(lab)} {{
  chain out {{
    type nat hook postrouting priority srcnat;
    ip saddr {subnet} ip daddr != {subnet} masquerade
  }}
}}
""",
    )


def down(lab: str) -> None:
    """Remove the lab's table, if it is there."""
    run("nft", "delete", "table", "ip", table(lab), check=False)


def is_up(lab: str) -> bool:
    return run("nft", "list", "table", "ip", table(lab), check=False).returncode == 0


def dropping(ruleset: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(hook, table) of chains that drop what no rule of theirs accepts."""
    for entry in ruleset:
        chain = entry.get("chain", {})
        ours = str(chain.get("table", "")).startswith("llamarig_")
        relevant = chain.get("family") in ("ip", "inet") and chain.get("hook") in (
            "forward",
            "input",
        )
        if relevant and chain.get("policy") == "drop" and not ours:
            yield str(chain["hook"]), f"{chain['family']} {chain['table']}"


def obstacles(lab: str, subnet: str) -> list[str]:
    """What the machine's own firewall will keep from the lab; we do not change it."""
    shown = run("nft", "-j", "list", "ruleset", check=False)
    ruleset = json.loads(shown.stdout)["nftables"] if shown.returncode == 0 else []
    said: list[str] = []
    for hook, where in dropping(ruleset):
        if hook == "forward":
            rules = f"iptables -I FORWARD -s {subnet} -j ACCEPT; iptables -I FORWARD -d {subnet}"
            said.append(
                f"this machine's firewall (table {where}) drops forwarded packets unless a rule "
                f"of its own accepts them: hosts may not reach package registries. To let them: "
                f"{rules} -j ACCEPT"
            )
        else:
            said.append(
                f"this machine's firewall (table {where}) drops incoming packets unless a rule of "
                f"its own accepts them: hosts may not reach the stand-in hub. To let them: "
                f"iptables -I INPUT -i {interface(lab)} -j ACCEPT"
            )
    return said
