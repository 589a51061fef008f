"""What ufw, nft and ip print, and the table that is made of the settings."""

from __future__ import annotations

import shutil
import subprocess
from ipaddress import ip_interface
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.tasks import firewall, nftables
from llamarig.tasks.facts.addresses import Addresses
from llamarig.tasks.facts.firewall import UNIT, Firewall, FirewallState
from llamarig.tasks.facts.ufw import Ufw, UfwRule, UfwState

# ufw 0.36.2 of Debian 12 in a made host; "installed" is the fact's own.
UFW = """\
installed
Status: active
Logging: on (low)
Default: deny (incoming), allow (outgoing), deny (routed)
New profiles: skip

### tuple ### allow any 22 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow tcp 8080 0.0.0.0/0 any 10.77.0.0/24 in comment=6c6c616d61726967
### tuple ### allow tcp 8080 0.0.0.0/0 any 192.168.1.5 in comment=6c6c616d61726967
### tuple ### allow tcp 77,9000:9010 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow any 78 0.0.0.0/0 any 0.0.0.0/0 in_eth0
### tuple ### allow tcp 8080 0.0.0.0/0 any 1.2.3.0/24 in
### tuple ### limit tcp 2222 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow tcp 23 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in
### tuple ### allow any 53 0.0.0.0/0 any 0.0.0.0/0 out
### tuple ### deny any any 0.0.0.0/0 any 9.9.9.9 in
### tuple ### route:allow any 80 0.0.0.0/0 any 0.0.0.0/0 in_eth0!out_lo
### tuple ### allow tcp 99 0.0.0.0/0 8081 5.5.5.5 in
### tuple ### allow_log tcp 8090 0.0.0.0/0 any 0.0.0.0/0 in
### tuple ### allow udp 8091 0.0.0.0/0 any 0.0.0.0/0 in comment=6c6c616d61726967
### tuple ### allow any 6000 0.0.0.0/0 any 6.6.6.6 in_eth0 comment=6d79207468696e67
### tuple ### allow tcp 8080 ::/0 any fd00::/8 in comment=6c6c616d61726967
### tuple ### allow tcp 8080 ::/0
""".splitlines()
IP = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
1: lo    inet6 ::1/128 scope host \\       valid_lft forever preferred_lft forever
2: eth0    inet 10.77.0.11/24 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0    inet6 fe80::77:ff:fe00:1/64 scope link \\       valid_lft forever preferred_lft forever
17: wg0    inet 10.8.0.2 peer 10.8.0.1/32 scope global wg0\\       valid_lft forever
""".splitlines()


def test_ufws_rules_and_which_are_ours() -> None:
    found = Ufw().process(UFW)
    assert (found.installed, found.active, found.incoming) == (True, True, "deny")
    assert found.ours == [("10.77.0.0/24", 8080), ("192.168.1.5", 8080), ("fd00::/8", 8080)]
    assert len(found.rules) == 16, "a line that is cut short is none"
    assert found.rules[14].comment == "my thing"


@pytest.mark.parametrize(
    ("port", "somebody", "anybody"),
    [
        (22, True, True),
        (23, True, True),  # an application's profile
        (77, True, True),
        (78, True, False),  # on one interface
        (80, False, False),  # forwarded, not for the host
        (99, True, False),
        (8081, False, False),  # a source's port
        (8080, True, False),
        (8090, True, True),
        (8091, False, False),
        (9005, True, True),
        (9011, False, False),
        (2222, True, True),
        (53, False, False),
    ],
)
def test_whom_a_port_is_open_to(port: int, somebody: bool, anybody: bool) -> None:
    rules = Ufw().process(UFW).rules
    assert any(rule.admits(port) for rule in rules) is somebody
    assert any(rule.admits_anybody(port) for rule in rules) is anybody


def test_a_rule_for_all_ports() -> None:
    rule = UfwRule("allow", "any", "any", "0.0.0.0/0", "any", "192.168.1.0/24", "in")
    assert rule.admits(8080)
    assert rule.plain is None


def test_no_ufw_or_one_that_sleeps() -> None:
    assert Ufw().process([]) == UfwState()
    asleep = Ufw().process(["installed", "Status: inactive", *UFW[6:8]])
    assert (asleep.active, asleep.incoming, len(asleep.rules)) == (False, "", 2)


def test_addresses() -> None:
    found = Addresses().process(IP)
    told = ["127.0.0.1/8", "::1/128", "10.77.0.11/24", "fe80::77:ff:fe00:1/64", "10.8.0.2/32"]
    assert found == [ip_interface(each) for each in told]
    with pytest.raises(FactProcessError):
        Addresses().process(["1: lo    inet 1.2.3/99 scope"])


def test_a_table_counts_as_unchanged_only_while_it_is_there() -> None:
    assert Firewall().process(["table", "unchanged", "enabled"]) == FirewallState(True, True, True)
    assert Firewall().process(["unchanged", "firewalld"]) == FirewallState(firewalld=True)


def test_networks_that_lie_in_each_other_become_one() -> None:
    networks = ["10.1.0.0/16", "192.168.1.5", "10.0.0.0/8", "fd00:0::/8", "fd00::1", "10.0.0.0/8"]
    assert firewall.sources(networks) == ["10.0.0.0/8", "192.168.1.5", "fd00::/8"]
    assert firewall.sources(["10.0.0.0/25", "10.0.0.128/25"]) == ["10.0.0.0/24"]
    assert firewall.sources(["0.0.0.0/0", "::/0"]) == ["0.0.0.0/0", "::/0"]


def test_the_table_names_only_the_families_that_are_allowed() -> None:
    text = nftables.table(["10.0.0.0/8", "192.168.1.5"], {8081, 8080})
    rules = [line.strip() for line in text.splitlines() if "dport" in line]
    assert rules == [
        'tcp dport { 8080, 8081 } iifname "lo" accept',
        "tcp dport { 8080, 8081 } ip saddr { 10.0.0.0/8, 192.168.1.5 } accept",
        'tcp dport { 8080, 8081 } drop comment "outside allow_from"',
    ]
    assert "ip6 saddr { fd00::/8 }" in nftables.table(["fd00::/8"], {8080})
    assert " ip saddr" not in nftables.table(["fd00::/8"], {8080})


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd")
def test_systemd_knows_every_directive_of_the_unit(tmp_path: Path) -> None:
    nft, unit = tmp_path / "usr/sbin/nft", tmp_path / "etc/systemd/system" / UNIT
    for path, text in ((nft, "#!/bin/sh\n"), (unit, nftables.unit())):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    nft.chmod(0o755)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={tmp_path}",
         UNIT],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
