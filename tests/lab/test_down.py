"""`llamarig down` leaves a host as it was before: compared file by file, package by package."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from host_state import difference, state
from lock_holder import held_lock

from llamarig.rehearsal.lab import Lab
from llamarig.rehearsal.state import cache_root

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
State = dict[str, dict[str, Any]]

# What differs after any installation and removal, whoever does it: the account tools' and dpkg's
# copies of the file before the last change, and ldconfig's cache of what it has seen.
BACKUPS = ("/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-",
           "/etc/subgid-", "/var/lib/dpkg/status-old", "/var/cache/ldconfig/aux-cache")  # fmt: skip
# With rules of ours in the firewall, whose package comes along.
SETTINGS: dict[str, Any] = {"allow_from": ["10.0.0.0/8"]}
EVERYTHING = "down --purge --with-model --yes --all"


@pytest.fixture(scope="module")
def before(lab: Lab) -> State:
    """The empty host."""

    def run(command: str) -> str:
        done = lab.ssh("gpu01", command, sudo=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    return state(run)


@pytest.fixture(scope="module")
def deployed_here(site: Any, before: State) -> None:
    """The same host, deployed to."""
    ran = site.run("up", **SETTINGS)
    assert ran.code == 0, ran.output


def listed(ran: Any, part: str) -> set[str]:
    return {each["name"] for each in ran.host()["down"][part]}


def test_a_host_without_llamarig_is_left_alone(site: Any, before: State, on_host: OnHost) -> None:
    ran = site.run(EVERYTHING)
    assert ran.code == 0, ran.output
    assert "gpu01: nothing of llamarig is here" in ran.output
    assert difference(before, state(on_host)) == []


@pytest.mark.usefixtures("deployed_here")
def test_nothing_goes_unasked(site: Any, on_host: OnHost) -> None:
    serving = on_host("systemctl show llama-server -p MainPID -p ActiveState")
    was = state(on_host)
    for words, line in (
        ("down --all", "nothing was changed: there is no terminal to ask at; to do it, add --yes"),
        ("down --purge --all", "to do it, add --yes"),
        ("down --yes", "no host named"),
        ("down --yes --limit gpu9", "gpu9: no host and no group of "),
        ("down --with-model --all --yes", "--with-model: goes with --purge"),
    ):
        ran = site.run(words)
        assert (ran.code, line in ran.output) == (1, True), ran.output
    assert "Traceback" not in ran.output
    assert difference(was, state(on_host)) == []
    assert on_host("systemctl show llama-server -p MainPID -p ActiveState") == serving


@pytest.mark.usefixtures("deployed_here")
def test_a_host_that_somebody_deploys_to_is_left_alone(site: Any, lab: Lab) -> None:
    with held_lock(lab):
        ran = site.run(EVERYTHING)
    assert ran.code == 1
    assert "lock: held by ada@desk since today" in ran.output
    assert "gpu01: not done, the lines above say why" in ran.output
    assert lab.ssh("gpu01", "systemctl is-active llama-server").stdout.strip() == "active"


@pytest.mark.usefixtures("deployed_here")
def test_down_stops_and_up_serves_again_with_the_proof_it_has(site: Any, on_host: OnHost) -> None:
    proven = on_host("cat /opt/llamarig/current/proof.json")
    # A job of the kind that starts the server with its last words.
    on_host("systemd-run --quiet --collect --unit=llamarig-prove-99 "
            "--property=ExecStopPost='systemctl start llama-server' sleep 1000")  # fmt: skip
    ran = site.run("down --limit gpu01 --yes")
    assert ran.code == 0, ran.output
    assert "llamarig-prove-99.service" in listed(ran, "goes")
    assert {"/opt/llamarig", "git", "llamarig"} <= listed(ran, "stays")
    assert on_host("systemctl is-active llama-server llamarig-prove-99 || true").split() == [
        "inactive", "inactive",
    ]  # fmt: skip
    left = "ls -d /etc/systemd/system/llama* /etc/systemd/system/*/llama* 2>/dev/null || true"
    assert on_host(left) == ""
    assert on_host("nft list ruleset") == ""
    again = site.run("down --all --yes")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    assert "nothing to do; --purge removes what stays" in again.output
    begun = time.monotonic()
    up = site.run("up", **SETTINGS)
    assert up.code == 0, up.output
    assert time.monotonic() - begun < 60
    assert on_host("cat /opt/llamarig/current/proof.json") == proven
    assert on_host("systemctl is-active llama-server") == "active"
    assert "table inet llamarig" in on_host("nft list tables")


@pytest.mark.usefixtures("deployed_here")
def test_a_purge_that_was_killed_is_finished_and_leaves_the_host_as_it_was(
    site: Any, before: State, on_host: OnHost
) -> None:
    # Settings that somebody else made.
    drop_in = "/etc/systemd/system/llama-server.service.d"
    on_host(f"mkdir -p {drop_in} && echo '[Service]' >{drop_in}/own.conf")
    cache = cache_root() / "ccache"
    cached = sum(1 for _ in cache.rglob("*"))
    child = site.start(EVERYTHING)
    assert child.stdout
    for line in child.stdout:
        if "changed: Down | Remove the models" in line:
            break
    time.sleep(1)  # apt is at work
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    assert on_host("ls /var/lib/llamarig/packages /opt/llamarig >/dev/null && echo there")

    ran = site.run(EVERYTHING)
    assert ran.code == 0, ran.output
    assert "gpu01: nothing of llamarig is left" in ran.output
    assert drop_in in listed(ran, "stays")
    assert on_host(f"cat {drop_in}/own.conf") == "[Service]"
    assert difference(before, state(on_host), *BACKUPS, drop_in) == []
    assert on_host("ls /run/lock/llamarig.lock /run/llamarig 2>/dev/null || true") == ""
    assert on_host("systemctl is-system-running || true") == "running"
    assert sum(1 for _ in cache.rglob("*")) == cached  # what is mounted there is not ours
    again = site.run(EVERYTHING)
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    assert "gpu01: nothing of llamarig is here" in again.output
