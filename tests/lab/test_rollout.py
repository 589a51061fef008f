"""A rollout on three made hosts: what it leaves alone when something breaks, and how it goes on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet import cut
from lock_holder import held_lock
from made import made_lab

from llamarig.paths import TRANSACTION
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str, str], str]
HOSTS = ("gpu01", "gpu02", "gpu03")
# What a deploy would change on a host, newest change and size.
TOUCHED = (
    "find /opt /var/lib/llamarig /data /etc/systemd/system /etc/passwd "
    "-printf '%p %s %T@\\n' 2>/dev/null | sort | sha256sum"
)
LOCK = "/run/lock/llamarig.lock"
UNTOUCHED = "what served before, on the hosts that were left"


@pytest.fixture(scope="module")
def lab(deployed: str) -> Iterator[Lab]:
    """Three hosts that serve the same proven generation."""
    with made_lab("roll", 3, snapshot=deployed, services=True) as made:
        yield made


@pytest.fixture(scope="module")
def on(lab: Lab) -> OnHost:
    def run(host: str, command: str) -> str:
        done = lab.ssh(host, command, sudo=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    return run


@pytest.fixture
def settled(site: Any, lab: Lab) -> None:
    """All three serve what the settings ask for."""
    ran = site.run("up")
    assert ran.code == 0, ran.output


def parts(ran: Any) -> list[tuple[str, list[str]]]:
    """The runs of a rollout: kind and hosts."""
    return [(part["kind"], part["hosts"]) for part in ran.report["rollout"]["waves"]]


def serving(on: OnHost) -> dict[str, str]:
    """The context that each host's live unit serves with; every unit runs."""
    for host in HOSTS:
        assert on(host, "systemctl is-active llama-server") == "active"
    unit = "grep -o -e '-c [0-9]*' /opt/llamarig/current/llama-server.service"
    return {host: on(host, unit) for host in HOSTS}


def until(child: subprocess.Popen[str], words: str) -> str:
    """Read the run's output up to a line that has the words."""
    seen = ""
    for line in child.stdout or ():
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"{words}: not seen in {seen}")


def proving(on: OnHost, host: str) -> None:
    """Wait until the host measures."""
    deadline = time.monotonic() + 120
    units = "systemctl list-units --plain --no-legend 'llamarig-prove-*'"
    while not on(host, units):
        assert time.monotonic() < deadline
        time.sleep(0.3)


def settle(on: OnHost, host: str) -> None:
    """Wait until a host that got its power back serves."""
    deadline = time.monotonic() + 120
    while on(host, "systemctl is-active llama-server || true") != "active":
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.usefixtures("settled")
def test_a_second_run_is_one_look_and_changes_nothing(site: Any, on: OnHost) -> None:
    before = {host: on(host, TOUCHED) for host in HOSTS}
    ran = site.run("up")
    assert ran.code == 0, ran.output
    assert parts(ran) == [("look", list(HOSTS))]
    assert [ran.host(host)["changed"] for host in HOSTS] == [0, 0, 0]
    assert {host: on(host, TOUCHED) for host in HOSTS} == before
    # A run of the story itself finds nothing either.
    for host in HOSTS:
        alone = site.run(f"up --limit {host}")
        assert (alone.code, alone.host(host)["changed"]) == (0, 0), alone.output


def test_a_changed_flag_is_rolled_host_by_host(site: Any, on: OnHost) -> None:
    ran = site.run("up", context=4096)
    assert ran.code == 0, ran.output
    assert parts(ran) == [
        ("look", list(HOSTS)), ("canary", ["gpu01"]), ("stage", ["gpu02", "gpu03"]),
        ("wave", ["gpu02"]), ("wave", ["gpu03"]),
    ]  # fmt: skip
    assert set(serving(on).values()) == {"-c 4096"}


@pytest.mark.usefixtures("settled")
@pytest.mark.cell("the canary fails its proof", UNTOUCHED)
def test_a_canary_that_fails_leaves_the_others_untouched(site: Any, on: OnHost) -> None:
    before = {host: on(host, TOUCHED) for host in HOSTS[1:]}
    live = serving(on)
    ran = site.run("up", spec_type="none")
    assert ran.code == 1, ran.output
    assert ran.report["rollout"]["left"] == ["gpu02", "gpu03"]
    assert "left as they are, the canary failed: gpu02, gpu03" in ran.output
    assert "gpu01: FAILED: " in ran.output
    assert "--exclude gpu01" in ran.output
    assert {host: on(host, TOUCHED) for host in HOSTS[1:]} == before
    assert serving(on) == live


@pytest.mark.cell("a host is down from the start", "the new one on all others")
def test_a_host_that_is_down_is_named_and_stops_nobody(site: Any, lab: Lab, on: OnHost) -> None:
    lab.kill("gpu01")
    try:
        ran = site.run("up", context=4352)
    finally:
        lab.restart("gpu01")
    assert ran.code == 1, ran.output
    assert "unreachable" in ran.host("gpu01")["problems"][0]
    assert ran.report["rollout"]["left"] == []
    again = site.run("up", context=4352)
    assert again.code == 0, again.output
    assert parts(again) == [("look", list(HOSTS)), ("canary", ["gpu01"])]
    assert set(serving(on).values()) == {"-c 4352"}


@pytest.mark.cell(
    "the controller is killed between two waves", "the one from before or the new one"
)
def test_a_killed_controller_goes_on_where_it_stopped(site: Any, on: OnHost) -> None:
    child = site.start("up", context=4608)
    try:
        until(child, "wave 2 of 2: gpu03")
    finally:
        os.killpg(child.pid, 9)
        child.communicate()
    assert serving(on)["gpu02"] == "-c 4608"
    proofs = "stat -c %Y /opt/llamarig/current/proof.json"
    before = {host: on(host, proofs) for host in HOSTS[:2]}
    ran = site.run("up", context=4608)
    assert ran.code == 0, ran.output
    assert parts(ran) == [("look", list(HOSTS)), ("canary", ["gpu03"])]
    assert {host: on(host, proofs) for host in HOSTS[:2]} == before
    assert set(serving(on).values()) == {"-c 4608"}


@pytest.mark.cell("a host's SSH key is another one", "the new one on all others")
def test_a_host_with_another_key_is_refused_and_stops_nobody(
    site: Any, lab: Lab, on: OnHost, tmp_path: Path
) -> None:
    before = serving(on)["gpu02"]
    known = tmp_path / "known_hosts"
    lines = Path(lab.state.known_hosts).read_text().splitlines()
    of_first = next(line for line in lines if line.startswith("gpu01,")).split()[1:]
    names = [line.split()[0] for line in lines]
    known.write_text("".join(
        f"{name} {' '.join(of_first)}\n" if name.startswith("gpu02,") else f"{line}\n"
        for name, line in zip(names, lines, strict=True)
    ))  # fmt: skip
    ran = site.run("up", context=4400, ssh_known_hosts_file=str(known))
    assert ran.code == 1, ran.output
    assert "key" in ran.host("gpu02")["problems"][0]
    assert "Traceback" not in ran.output
    assert serving(on) == {"gpu01": "-c 4400", "gpu02": before, "gpu03": "-c 4400"}


@pytest.mark.cell("a host goes down in a wave while it proves", "the one from before, there")
def test_a_host_that_goes_down_while_it_proves_serves_what_it_did(
    site: Any, lab: Lab, on: OnHost
) -> None:
    assert site.run("up", context=4160).code == 0

    def in_its_proof(child: subprocess.Popen[str]) -> None:
        until(child, "wave 1 of 2: gpu02")
        proving(on, "gpu02")

    code, output = cut(
        site, "up", in_its_proof, lambda: lab.kill("gpu02"), lambda: lab.restart("gpu02"),
        context=4192,
    )  # fmt: skip
    assert code == 1, output
    assert "left as they are" in output
    settle(on, "gpu02")
    assert serving(on) == {"gpu01": "-c 4192", "gpu02": "-c 4160", "gpu03": "-c 4160"}
    again = site.run("up", context=4192)
    assert again.code == 0, again.output
    assert set(serving(on).values()) == {"-c 4192"}


@pytest.mark.cell("a host goes down in a wave while it switches", "the old or the new one, there")
def test_a_host_that_goes_down_while_it_switches_converges(site: Any, lab: Lab, on: OnHost) -> None:
    assert site.run("up", context=4224).code == 0
    # Asked rarely and cheaply: the proof that comes first counts what others compute.
    switching = f"timeout 300 sh -c 'until test -e {TRANSACTION}; do sleep 0.1; done'"

    def in_its_switch(child: subprocess.Popen[str]) -> None:
        until(child, "wave 1 of 2: gpu02")
        on("gpu02", switching)

    code, output = cut(
        site, "up", in_its_switch, lambda: lab.kill("gpu02"), lambda: lab.restart("gpu02"),
        context=4256,
    )  # fmt: skip
    assert code == 1, output
    settle(on, "gpu02")
    assert serving(on)["gpu02"] in ("-c 4224", "-c 4256")
    assert serving(on)["gpu03"] == "-c 4224"
    again = site.run("up", context=4256)
    assert again.code == 0, again.output
    assert set(serving(on).values()) == {"-c 4256"}


@pytest.mark.cell("two rollouts at once", "the first one's on all hosts")
def test_the_second_of_two_rollouts_is_told_who_holds_the_lock(
    site: Any, lab: Lab, on: OnHost, tmp_path: Path
) -> None:
    first = site.start("up", context=4864)
    try:
        proving(on, "gpu01")
        second = type(site)(tmp_path / "clone", lab).run("up", context=5120)
        output, _ = first.communicate(timeout=1200)
    finally:
        first.kill()
    assert second.code == 1
    assert "gpu01: FAILED: lock: held by " in second.output
    assert second.report["rollout"]["left"] == ["gpu02", "gpu03"]
    assert first.returncode == 0, output
    assert set(serving(on).values()) == {"-c 4864"}


@pytest.mark.cell("the lock's owner renews it no longer", "the one from before")
def test_only_a_lock_that_is_not_renewed_is_broken(site: Any, lab: Lab, on: OnHost) -> None:
    assert site.run("up", context=4864).code == 0
    with held_lock(lab, "gpu02"):
        fresh = site.run("up --limit gpu02 --break-lock", context=4864)
        assert fresh.code == 1
        assert "lock: held by ada@desk since today, renewed " in fresh.output
        assert "--break-lock takes only what is not renewed for 30 s" in fresh.output
        on("gpu02", f"touch -d '40 seconds ago' {LOCK}")
        told = site.run("up --limit gpu02", context=4864)
        assert "`up --break-lock` takes it" in told.output
        on("gpu02", f"touch -d '40 seconds ago' {LOCK}")
        broken = site.run("up --limit gpu02 --break-lock", context=4864)
    assert (broken.code, broken.host("gpu02")["changed"]) == (0, 0), broken.output
    assert "broke the lock of ada@desk, since today, last renewed " in broken.output


def test_a_run_that_lost_its_lock_ends_on_that_host(site: Any, lab: Lab, on: OnHost) -> None:
    child = site.start("up --limit gpu03", context=5376, lock_lease_seconds=20)
    try:
        proving(on, "gpu03")
        on("gpu03", f"find /proc/[0-9]*/fd -lname {LOCK} | cut -d/ -f3 | xargs kill -9")
        output, _ = child.communicate(timeout=120)
    finally:
        child.kill()
    assert child.returncode == 1
    assert "lock: lost, this run did not renew it in time or somebody broke it" in output
    assert "Traceback" not in output
    ran = site.run("up --limit gpu03", context=5376)
    assert ran.code == 0, ran.output
