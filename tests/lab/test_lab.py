"""Made hosts as a user meets them: logins, registries, power cuts, snapshots, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llamarig.errors import UserError
from llamarig.rehearsal import network
from llamarig.rehearsal import snapshot as snapshots
from llamarig.rehearsal.lab import Lab
from llamarig.rehearsal.leftovers import leftovers

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
NAME = f"t{os.getpid() % 10**6}"
SNAPSHOT = f"test-{os.getpid()}"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab(NAME)
    made.up(1)
    yield made
    made.down()
    if SNAPSHOT in snapshots.names():
        snapshots.remove(SNAPSHOT)


def succeed(lab: Lab, command: str, host: str = "gpu01", **more: object) -> str:
    result = lab.ssh(host, command, **more)  # type: ignore[arg-type]
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip()


def test_both_operators_log_in_and_one_is_asked_for_a_password(lab: Lab) -> None:
    assert succeed(lab, "id -un") == "ops"
    assert succeed(lab, "sudo -n id -un") == "root"
    assert succeed(lab, "id -un", user="opspw") == "opspw"
    refused = lab.ssh("gpu01", "sudo -n id -un", user="opspw")
    assert refused.returncode != 0
    assert "password" in refused.stderr
    assert succeed(lab, "id -un", user="opspw", sudo=True) == "root"


def test_secrets_of_the_lab_are_private(lab: Lab) -> None:
    for secret in (lab.state.sudo_password_file, lab.state.ssh_key):
        assert Path(secret).stat().st_mode & 0o077 == 0
    password = Path(lab.state.sudo_password_file).read_text().strip()
    assert password not in (lab.folder / "state.json").read_text()


def test_it_is_a_whole_system(lab: Lab) -> None:
    assert succeed(lab, "systemctl is-system-running --wait") == "running"
    assert succeed(lab, "hostname") == "gpu01"
    root, data = succeed(lab, "stat -c %d / /data").split()
    assert root != data
    assert succeed(lab, "test -d /var/cache/llamarig/ccache && echo shared") == "shared"


def test_package_registries_are_reached(lab: Lab) -> None:
    install = "apt-get -qq update && apt-get -qqy install --no-install-recommends python3-venv"
    succeed(lab, install, sudo=True)
    succeed(lab, "cd $(mktemp -d) && python3 -m venv x && x/bin/pip -q download six && ls six*")


def test_up_again_keeps_what_runs(lab: Lab) -> None:
    before = succeed(lab, "cat /proc/sys/kernel/random/boot_id; systemctl show -P ExecMainPID ssh")
    lab.up(1)
    after = succeed(lab, "cat /proc/sys/kernel/random/boot_id; systemctl show -P ExecMainPID ssh")
    assert before == after


def test_a_power_cut_keeps_the_disks(lab: Lab) -> None:
    succeed(lab, "echo here > /etc/mark; echo there > /data/mark; sync", sudo=True)
    lab.kill("gpu01")
    assert not any("systemd-nspawn" in line for line in leftovers(NAME))
    lab.restart("gpu01")
    assert succeed(lab, "cat /etc/mark /data/mark") == "here\nthere"


def test_a_pulled_cable_is_silence(lab: Lab) -> None:
    lab.unplug("gpu01")
    ping = ["timeout", "2", "bash", "-c", f"echo > /dev/tcp/{lab.state.hosts[0].address}/22"]
    assert subprocess.run(ping, capture_output=True, check=False).returncode == 124
    lab.plug("gpu01")
    assert succeed(lab, "hostname") == "gpu01"


def test_a_snapshot_starts_new_hosts_with_an_identity_of_their_own(lab: Lab) -> None:
    succeed(lab, "echo kept > /data/kept; rm /etc/debian_version; : > /etc/kept", sudo=True)
    lab.snapshot("gpu01", SNAPSHOT)
    assert succeed(lab, "hostname") == "gpu01", "the host goes on"
    lab.up(2, snapshot=SNAPSHOT)
    assert succeed(lab, "cat /data/kept; ls /etc/kept", "gpu02") == "kept\n/etc/kept"
    assert lab.ssh("gpu02", "test -e /etc/debian_version").returncode == 1, "removed stays removed"
    identity = "hostname; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"
    one, two = (succeed(lab, identity, host).splitlines() for host in ("gpu01", "gpu02"))
    assert all(a != b for a, b in zip(one, two, strict=True))
    assert succeed(lab, "getent hosts gpu02").split()[0] == lab.state.host("gpu02").address
    succeed(lab, "echo own > /data/kept", "gpu02", sudo=True)
    assert succeed(lab, "cat /data/kept") == "kept", "disks are not shared"
    with pytest.raises(UserError, match="in use"):
        lab.snapshot("gpu01", SNAPSHOT, replace=True)


def test_two_labs_do_not_meet_and_down_leaves_nothing() -> None:
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    one, two = Lab(f"{NAME}a"), Lab(f"{NAME}b")
    try:
        one.up(1, data_size="16M")
        two.up(1, data_size="16M")
        assert one.state.subnet != two.state.subnet
        two.down()
        assert leftovers(two.id) == []
        assert forward.read_text().strip() == "1", "one lab still needs it"
        assert succeed(one, "hostname") == "gpu01"
        assert int(succeed(one, "df --output=size -k /data | tail -1")) < 16 * 1024
    finally:
        two.down()
        one.down()
    assert leftovers(one.id) == []


def test_a_lab_does_not_come_back_into_a_subnet_that_was_taken() -> None:
    """Labs of two caches don't know of each other."""
    one, two = Lab(f"{NAME}d"), Lab(f"{NAME}e")
    try:
        one.up(1, data_size="16M")
        subnet = one.state.subnet
        one.kill("gpu01")
        network.down(one.id)
        two.up(1, data_size="16M")
        assert two.state.subnet != subnet, "this cache remembers it"
        network.down(two.id)
        network.up(two.id, subnet)  # as a lab of another cache
        with pytest.raises(UserError, match="is in use on this machine by now"):
            one.up(1)
    finally:
        two.down()
        one.down()
    assert leftovers(one.id) == []


@pytest.mark.parametrize("after", [0.2, 0.35, 0.6])
def test_what_a_killed_run_left_is_cleaned(after: float) -> None:
    crashing = Lab(f"{NAME}c")
    program = f"from llamarig.rehearsal.lab import Lab; Lab({crashing.id!r}).up(2)"
    try:
        process = subprocess.Popen([sys.executable, "-c", program])
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
        crashing.up(1)
        assert succeed(crashing, "hostname") == "gpu01"
    finally:
        crashing.down()
    assert leftovers(crashing.id) == []


def test_a_killed_snapshot_does_not_leave_a_host_frozen(lab: Lab) -> None:
    succeed(lab, "dd if=/dev/urandom of=/data/bulk bs=1M count=300 status=none", sudo=True)
    name = f"{SNAPSHOT}-killed"
    program = f"from llamarig.rehearsal.lab import Lab; Lab({NAME!r}).snapshot('gpu01', {name!r})"
    process = subprocess.Popen([sys.executable, "-c", program])
    making = snapshots.folder(name).parent
    deadline = time.monotonic() + 20
    while not list(making.glob(f".making-{name}-*/data.img")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert name not in snapshots.names()
    lab.up(1)
    assert succeed(lab, "rm /data/bulk; hostname", sudo=True) == "gpu01"
