"""Who reaches a port, asked from another host: by nftables, by ufw, after a reboot."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llamarig.rehearsal import network
from llamarig.rehearsal.inventory import connection
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
ELSEWHERE = ["192.0.2.0/24"]
BEGIN = """
from llamarig.tasks import firewall
from llamarig.tasks.arrival import arrive

settings = arrive()
"""
STAGE = 'firewall.admit(name="Stage", settings=settings, also_live=True)\n'
SWITCH = 'firewall.admit(name="Switch", settings=settings, also_live=False)\n'
GONE = 'firewall.gone(name="Remove")\n'
# Something that listens, on IPv4 and IPv6, also after a reboot.
WEB = """[Service]
ExecStart=/usr/bin/python3 -m http.server %i --bind :: --directory /srv
[Install]
WantedBy=multi-user.target
"""
LIVE = json.dumps(
    {
        "digest": "d", "release": "r", "proof_key": "k",
        "model": {"file": "m.gguf", "path": "/data/m.gguf", "sha256": "0" * 64},
        "address": {"bind": "0.0.0.0", "port": 8081},
    }
)  # fmt: skip
OnHost = Callable[[str], str]


@dataclass(frozen=True)
class Ran:
    """code: pyinfra's status; changed: the operations that changed something."""

    code: int
    changed: list[str]
    output: str


class Hosts:
    """gpu01 and gpu02, each with something that listens, and stories told to them."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder

    def tell(self, story: str, host: str = "gpu01", **settings: Any) -> Ran:
        data = {**connection(self.lab.state, host, "ops"), "backend": "cpu", **settings}
        (self.folder / "inventory.py").write_text(f"hosts = [({host!r}, {data!r})]\n")
        (self.folder / "story.py").write_text(BEGIN + story)
        done = subprocess.run(
            [sys.executable, "-m", "pyinfra", "inventory.py", "story.py", "-y", "--json"],
            cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=400, check=False, env={**os.environ, "PYINFRA_PROGRESS": "off"},
        )  # fmt: skip
        found = json.loads(done.stdout or "{}").get("results", {}).get("operations", [])
        changed = [each["name"] for each in found if each["success"] and not each["no_change"]]
        return Ran(done.returncode, changed, done.stdout + done.stderr)

    def on(self, host: str, command: str) -> str:
        done = self.lab.ssh(host, command, sudo=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def own(self, host: str) -> str:
        return self.lab.state.host(host).address

    def reaches(self, to: str, port: int, address: str | None = None) -> bool:
        """Whether the other host gets an answer. Refused or silence: no."""
        other = "gpu02" if to == "gpu01" else "gpu01"
        url = f"http://{address or self.own(to)}:{port}/"
        return self.lab.ssh(other, f"curl -s -m 3 -o /dev/null '{url}'").returncode == 0

    def itself(self, host: str, port: int) -> bool:
        command = (
            f"curl -s -m 3 -o /dev/null http://127.0.0.1:{port}/ http://{self.own(host)}:{port}/"
        )
        return self.lab.ssh(host, command).returncode == 0

    def listens(self, host: str) -> None:
        """Wait for what listens, so that silence is the firewall's and not its own."""
        deadline = time.monotonic() + 30
        while not all(self.itself(host, port) for port in (8080, 8081)):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def reboot(self, host: str) -> None:
        self.lab.kill(host)
        self.lab.restart(host)

    def ruleset(self, host: str) -> str:
        """What the kernel has, asked with this machine's nft: the host may have none."""
        name = network.namespace(self.lab.id, host)
        return subprocess.run(
            ["ip", "netns", "exec", name, "nft", "list", "ruleset"],
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip

    def traces(self, host: str) -> str:
        """Files and units of ours."""
        return self.on(
            host,
            "find /etc/llamarig /etc/systemd/system /var/lib/llamarig /etc/ufw -name '*irewall*' "
            "2>/dev/null; grep -rls 6c6c616d61726967 /etc/ufw; true",
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    lab = Lab(f"fw{os.getpid() % 1000}")
    try:
        lab.up(2, data_size="16M")
        hosts = Hosts(lab, tmp_path_factory.mktemp("site"))
        for name in ("gpu01", "gpu02"):
            hosts.on(
                name,
                f"printf %s {shlex.quote(WEB)} >/etc/systemd/system/web@.service && "
                "systemctl daemon-reload && systemctl enable -q --now web@8080 web@8081",
            )
            hosts.listens(name)
        yield hosts
    finally:
        lab.down()


def lan(made: Hosts) -> list[str]:
    return [made.lab.state.subnet]


def test_nobody_outside_of_allow_from_gets_in(made: Hosts) -> None:
    before = made.ruleset("gpu01")
    assert made.reaches("gpu01", 8080)
    ran = made.tell(STAGE + SWITCH, allow_from=ELSEWHERE)
    assert ran.code == 0, ran.output
    assert ran.changed == ["Install nftables", "Stage"]
    assert not made.reaches("gpu01", 8080)
    assert made.reaches("gpu01", 8081), "a port that is not ours"
    assert made.itself("gpu01", 8080)
    assert made.tell(STAGE + SWITCH, allow_from=ELSEWHERE).changed == []

    assert made.tell(STAGE + SWITCH, allow_from=[*ELSEWHERE, made.own("gpu02")]).code == 0
    assert made.reaches("gpu01", 8080)

    gone = made.tell(GONE)
    assert (gone.code, gone.changed) == (0, ["Remove"]), gone.output
    assert made.ruleset("gpu01") == before
    assert made.traces("gpu01") == ""
    assert made.tell(GONE).changed == []


def test_ipv6_is_judged_by_its_own_networks(made: Hosts) -> None:
    for number, name in enumerate(("gpu01", "gpu02"), 1):
        made.on(name, f"ip address add fd77::{number}/64 dev eth0 nodad")
    assert made.reaches("gpu01", 8080, "[fd77::1]")
    assert made.tell(SWITCH, allow_from=lan(made)).code == 0
    assert made.reaches("gpu01", 8080)
    assert not made.reaches("gpu01", 8080, "[fd77::1]")
    assert made.tell(SWITCH, allow_from=["fd77::/64"]).code == 0
    assert not made.reaches("gpu01", 8080)
    assert made.reaches("gpu01", 8080, "[fd77::1]")


def test_it_holds_from_the_first_packet_of_a_boot(made: Hosts) -> None:
    assert made.tell(SWITCH, allow_from=ELSEWHERE).code == 0
    made.reboot("gpu01")
    assert not made.reaches("gpu01", 8080)
    made.listens("gpu01")
    assert not made.reaches("gpu01", 8080)
    assert made.on("gpu01", "systemctl is-system-running --wait") == "running"
    made.on("gpu01", "systemctl show -P After network-pre.target | grep llamarig-firewall")
    again = made.tell(SWITCH, allow_from=ELSEWHERE)
    assert (again.code, again.changed) == (0, []), again.output


def test_the_hosts_own_nftables_may_be_loaded_anew(made: Hosts) -> None:
    """Debian's /etc/nftables.conf flushes everything."""
    assert made.tell(SWITCH, allow_from=ELSEWHERE).code == 0
    made.on("gpu01", "systemctl enable -q nftables")
    made.reboot("gpu01")
    made.listens("gpu01")
    for verb in ("is-active", "restart", "reload"):
        made.on("gpu01", f"systemctl {verb} nftables; sleep 1")
        assert "table inet filter" in made.ruleset("gpu01")
        assert not made.reaches("gpu01", 8080), verb
    made.on("gpu01", "nft flush ruleset")
    assert made.reaches("gpu01", 8080)
    mended = made.tell(STAGE + SWITCH, allow_from=ELSEWHERE)
    assert (mended.code, mended.changed) == (0, ["Stage"]), mended.output
    assert not made.reaches("gpu01", 8080)


def test_the_old_port_is_guarded_until_the_switch(made: Hosts) -> None:
    made.on(
        "gpu01",
        f"install -d /opt/llamarig/generations/1 && ln -sfn generations/1 /opt/llamarig/current && "
        f"echo '{LIVE}' >/opt/llamarig/generations/1/manifest.json",
    )
    assert made.tell(STAGE, allow_from=ELSEWHERE).code == 0
    assert not made.reaches("gpu01", 8080)
    assert not made.reaches("gpu01", 8081)
    assert made.tell(SWITCH, allow_from=ELSEWHERE).code == 0
    assert not made.reaches("gpu01", 8080)
    assert made.reaches("gpu01", 8081), "nothing of ours listens there any more"
    assert made.tell(STAGE).changed == []
    assert not made.reaches("gpu01", 8080), "allow_from was taken away, but not switched"
    assert made.tell(STAGE + SWITCH).changed == ["Switch"]
    assert made.reaches("gpu01", 8080)
    made.on("gpu01", "rm -r /opt/llamarig")


def test_a_load_that_fails_is_a_failure_and_what_held_still_holds(made: Hosts) -> None:
    assert made.tell(SWITCH, allow_from=ELSEWHERE).code == 0
    broken = '#!/bin/sh\\n[ "$1" = -c ] && exit 0; echo no memory >&2; exit 1\\n'
    made.on("gpu01", f"printf '{broken}' >/root/nft && chmod +x /root/nft && "
            "mount --bind /root/nft /usr/sbin/nft")  # fmt: skip
    try:
        ran = made.tell(SWITCH, allow_from=lan(made))
    finally:
        made.on("gpu01", "umount /usr/sbin/nft")
    assert ran.code == 1
    assert not made.reaches("gpu01", 8080)
    again = made.tell(SWITCH, allow_from=lan(made))
    assert (again.code, again.changed) == (0, ["Switch"]), again.output
    assert made.reaches("gpu01", 8080)
    assert made.tell(GONE).code == 0


def test_ufw_where_it_is_active(made: Hosts) -> None:
    made.on(
        "gpu02",
        "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install "
        "--no-install-recommends ufw && ufw allow 22 && ufw allow from 198.51.100.0/24 to any "
        "port 8080 proto tcp && ufw --force enable",
    )
    before = made.on("gpu02", "ufw status numbered; cat /etc/ufw/user*.rules")
    assert not made.reaches("gpu02", 8080)
    wanted = [made.own("gpu01"), "198.51.100.0/24", "fd77::/64"]
    ran = made.tell(STAGE + SWITCH, "gpu02", allow_from=wanted)
    assert (ran.code, ran.changed) == (0, ["Stage"]), ran.output
    assert made.reaches("gpu02", 8080)
    assert not made.reaches("gpu02", 8081)
    assert "inet llamarig" not in made.ruleset("gpu02")
    assert made.tell(STAGE + SWITCH, "gpu02", allow_from=wanted).changed == []

    made.reboot("gpu02")
    made.listens("gpu02")
    assert made.reaches("gpu02", 8080)

    assert made.tell(STAGE + SWITCH, "gpu02", allow_from=ELSEWHERE).code == 0
    assert not made.reaches("gpu02", 8080)
    assert made.tell(GONE, "gpu02").changed == ["Remove"]
    assert made.on("gpu02", "ufw status numbered; cat /etc/ufw/user*.rules") == before


def test_ufw_that_is_switched_on_or_off_later(made: Hosts) -> None:
    assert made.tell(SWITCH, "gpu02", allow_from=lan(made)).code == 0
    made.on("gpu02", "ufw --force disable")
    off = made.tell(STAGE + SWITCH, "gpu02", allow_from=lan(made))
    assert off.changed == ["Install nftables", "Stage"], off.output
    assert "inet llamarig" in made.ruleset("gpu02")
    assert "/etc/ufw" not in made.traces("gpu02")
    assert made.reaches("gpu02", 8080)
    made.on("gpu02", "ufw --force enable")
    assert made.tell(STAGE + SWITCH, "gpu02", allow_from=lan(made)).changed == ["Stage"]
    assert "inet llamarig" not in made.ruleset("gpu02")
    assert made.traces("gpu02") == "/etc/ufw/user.rules"
    assert made.reaches("gpu02", 8080)
    assert made.tell(GONE, "gpu02").code == 0
    assert made.traces("gpu02") == ""
