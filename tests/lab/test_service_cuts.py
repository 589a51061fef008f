"""Killed controllers, cut links, reboots and power cuts between stage and switch: what serves
afterwards was proven, and the same command again converges."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
import serving

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
BOUND_SECONDS = 90
ONE_OF_BOTH = "the one from before or the proven new one"
TRANSACTION = "/var/lib/llamarig/transaction.json"
# Lines of the run, in order; the proof prints them about once a second.
PLACES = [
    "Connected",
    "changed: Server | Stage a generation",
    "measure 1/36 answers",
    "measure 6/36 answers",
    "measure 11/36 answers",
    "measure 16/36 answers",
    "measure 22/36 answers",
    "measure 28/36 answers",
    "measure 34/36 answers",
    "changed: Proof | Prove the candidate",
]


def depth(number: int) -> dict[str, Any]:
    """Settings that nobody proved yet: contexts differ, the recipe stays fast."""
    return {"context": 4096 + 256 * number}


def until(child: subprocess.Popen[str], place: str) -> None:
    """Read the run's output up to a line that has the place, or whose progress is beyond it."""
    wanted = _answers(place)
    seen = []
    for line in child.stdout or ():
        seen.append(line)
        if place in line:
            return
        if wanted is not None and (_answers(line) or -1) >= wanted:
            return
    raise AssertionError(f"{place}: not seen in {''.join(seen)}")


def _answers(line: str) -> int | None:
    """Answers done; between two stages of its job the line says `starting`."""
    found = re.search(r"(\d+)/\d+ answers", line)
    return int(found[1]) if found else None


def job_over(on_host: OnHost) -> None:
    on_host(
        "while systemctl list-units --plain --no-legend 'llamarig-prove-*' 'llamarig-switch-*' "
        "| grep -q .; do sleep 0.3; done"
    )


def converges(site: Any, lab: Lab, on_host: OnHost, changes: dict[str, Any], before: int) -> None:
    """What serves now was proven; the same command then gets there, and once more does nothing."""
    now = serving.generation(lab)
    current = on_host("readlink /opt/llamarig/current")
    proof = on_host(f"cat /opt/llamarig/{current}/proof.json")
    assert '"verdict": "pass"' in proof
    assert current.endswith(f"/{now}")
    ran = site.run("up", **changes)
    assert ran.code == 0, ran.output
    assert serving.generation(lab) > before
    assert on_host(f"ls {TRANSACTION} 2>/dev/null || true") == ""
    again = site.run("up", **changes)
    assert (again.code, again.host()["changed"]) == (0, 0), again.output


@pytest.mark.parametrize("number", range(len(PLACES)), ids=PLACES)
@pytest.mark.cell("the controller is killed (SIGKILL) at: {case}", ONE_OF_BOTH)
def test_a_killed_controller(
    site: Any, lab: Lab, on_host: OnHost, before: int, number: int
) -> None:
    changes = depth(number)
    child = site.start("up", **changes)
    try:
        until(child, PLACES[number])
    finally:
        os.killpg(child.pid, 9)
        child.communicate()
    job_over(on_host)
    converges(site, lab, on_host, changes, before)


@pytest.mark.cell("the link is cut at the switch", "the proven new one")
def test_a_link_that_is_cut_at_the_switch(
    site: Any, lab: Lab, on_host: OnHost, before: int
) -> None:
    changes = depth(20)
    child = site.start("up", **changes)
    try:
        until(child, "measure 24/36 answers")
        lab.unplug("gpu01")
        output, _ = child.communicate(timeout=BOUND_SECONDS)
    finally:
        lab.plug("gpu01")
        child.kill()
    assert "Traceback" not in output
    job_over(on_host)
    assert serving.generation(lab) > before
    converges(site, lab, on_host, changes, before)


def reboot(lab: Lab, on_host: OnHost) -> None:
    """An orderly reboot: systemd stops everything, then the machine starts again."""
    lab.ssh("gpu01", "systemctl reboot", sudo=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if lab.ssh("gpu01", "true").returncode != 0:
                break
        except subprocess.TimeoutExpired:
            break
        time.sleep(0.5)
    time.sleep(5)
    lab.kill("gpu01")
    lab.restart("gpu01")


@pytest.mark.parametrize("place", ["measure 16/36 answers", "changed: Proof | Prove the candidate"],
                         ids=["in the proof", "right after the switch"])  # fmt: skip
@pytest.mark.cell("the host is rebooted: {case}", ONE_OF_BOTH)
def test_a_reboot(site: Any, lab: Lab, on_host: OnHost, before: int, place: str) -> None:
    changes = depth(21 if "measure" in place else 22)
    child = site.start("up", **changes)
    until(child, place)
    reboot(lab, on_host)
    child.communicate(timeout=BOUND_SECONDS)
    converges(site, lab, on_host, changes, before)


@pytest.mark.parametrize(
    ("number", "place"),
    list(enumerate([PLACES[1], PLACES[2], PLACES[5], "measure 24/36 answers", PLACES[9]], 30)),
    ids=["staged", "the proof begins", "half proven", "at the switch", "right after the switch"],
)
@pytest.mark.cell("the power is cut (PID 1 killed): {case}", ONE_OF_BOTH)
def test_a_power_cut(
    site: Any, lab: Lab, on_host: OnHost, before: int, number: int, place: str
) -> None:
    changes = depth(number)
    child = site.start("up", **changes)
    until(child, place)
    lab.kill("gpu01")
    child.communicate(timeout=BOUND_SECONDS)
    lab.restart("gpu01")
    converges(site, lab, on_host, changes, before)
