"""Measuring a server that serves, asked for and by its timer: users are answered throughout."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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
METRICS = "/var/lib/node-metrics"
CHECKED: dict[str, Any] = {"check": "hourly", "metrics_folder": METRICS}
START = "systemctl start llamarig-check.service"
STATE = "systemctl show llamarig-check.service -p ActiveState --value"
LEFT = (
    "ls -d /etc/systemd/system/llamarig-check* /etc/systemd/system/*/llamarig-check* "
    f"/etc/llamarig/check* {METRICS}/* 2>/dev/null || true"
)
# What this machine does besides may disturb a measurement; it is then undecided, or left out.
TRIES = 5


@dataclass
class Client:
    """A user: answered requests, and what went wrong with others."""

    answered: int = 0
    errors: list[str] = field(default_factory=list)


@contextmanager
def asking(lab: Lab, pause: float = 0.0) -> Iterator[Client]:
    """A user who asks all the time, the next question `pause` seconds after each answer."""
    found, over = Client(), threading.Event()
    url = f"http://{lab.state.host('gpu01').address}:{serving.PORT}/v1/chat/completions"
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {serving.key(lab)}"}
    body = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 48}

    def ask() -> None:
        while not over.wait(pause):
            request = urllib.request.Request(url, json.dumps(body).encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as reply:
                    assert json.load(reply)["choices"]
                found.answered += 1
            except (OSError, ValueError, AssertionError) as error:
                found.errors.append(repr(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def pid(on_host: OnHost) -> str:
    return on_host("systemctl show llama-server -p MainPID -p NRestarts")


def log(on_host: OnHost) -> list[dict[str, Any]]:
    text = on_host("cat /var/lib/llamarig/measurements.jsonl")
    return [json.loads(line) for line in text.splitlines()]


def metrics(on_host: OnHost) -> dict[str, float]:
    lines = on_host(f"cat {METRICS}/llamarig.prom 2>/dev/null || true").splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {series: float(value) for series, value in pairs}


def smoke(site: Any, words: str = "smoke", **changes: Any) -> Any:
    """A smoke test that came to a verdict, unless this machine disturbs each of TRIES."""
    for _ in range(TRIES):
        ran = site.run(words, **changes)
        if ran.code != 3:
            break
    return ran


def test_an_idle_server_passes_and_is_not_restarted(site: Any, on_host: OnHost) -> None:
    before = pid(on_host)
    ran = smoke(site, f"smoke --junit {site.folder}/junit.xml")
    assert ran.code == 0, ran.output
    assert pid(on_host) == before
    found = ran.host()["smoke"]
    assert (found["kind"], found["verdict"]) == ("live", "pass")
    assert found["speedup"] > 1.7
    assert "against the baseline recorded " in ran.output
    assert "with the proof of generation 1; --full measures both anew" in ran.output
    assert log(on_host)[-1]["kind"] == "live"
    kept = json.loads(on_host("cat /opt/llamarig/current/live.json"))
    assert kept["reason"] == found["reason"]
    (suite,) = ElementTree.parse(Path(site.folder) / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    assert site.run("status").host()["check"]["verdict"] == "pass"


def test_a_missed_gate_and_an_unclear_one_have_exit_statuses_of_their_own(
    site: Any, on_host: OnHost
) -> None:
    before = pid(on_host)
    missed = smoke(site, "smoke --min-speedup 9.5")
    assert missed.code == 1, missed.output
    assert "is below 9.50" in missed.output
    assert "generation 1 serves on" in missed.output
    other = site.run("smoke", proof_suite="bench")
    assert other.code == 3, other.output
    assert "was measured with other prompts (proof_suite)" in other.output
    assert "`llamarig smoke --full` measures both anew" in other.output
    wrong = site.run("smoke --min-speedup 0.9")
    assert wrong.code == 1
    assert "--min-speedup 0.9: a number above 1 and at most 10 expected" in wrong.output
    assert "Traceback" not in missed.output + other.output + wrong.output
    assert pid(on_host) == before


def test_a_user_is_answered_throughout(site: Any, lab: Lab, on_host: OnHost) -> None:
    before = pid(on_host)
    for pause in (0.0, 2.0):
        with asking(lab, pause) as user:
            ran = site.run("smoke")
        assert user.errors == []
        assert user.answered > 3
        found = ran.host()["smoke"]
        assert (ran.code, found["verdict"]) in ((0, "pass"), (3, "undecided")), ran.output
        if found["verdict"] == "pass":
            assert found["rounds"] >= 6
        else:
            assert found["busy"] or found["disturbed_rounds"], ran.output
    assert pid(on_host) == before


def test_the_timer_is_set_up_once(site: Any, on_host: OnHost) -> None:
    before = pid(on_host)
    ran = site.run("up", **CHECKED)
    assert ran.code == 0, ran.output
    assert pid(on_host) == before
    assert on_host("systemctl is-active llamarig-check.timer") == "active"
    assert "llamarig-check.service" in on_host("systemctl list-timers --all --no-legend")
    again = site.run("up", **CHECKED)
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    assert site.run("status", **CHECKED).host()["drift"] == []


def test_a_check_by_the_timer_is_told(site: Any, on_host: OnHost) -> None:
    before, lines = pid(on_host), len(log(on_host))
    for _ in range(TRIES):
        on_host(START)
        if "llamarig_check_success" in metrics(on_host):
            break
    found = metrics(on_host)
    assert found["llamarig_check_success"] == 1, on_host("journalctl -u llamarig-check -n 30")
    assert found["llamarig_speedup_ratio"] > 1.7
    assert found['llamarig_tokens_per_second{arm="mtp"}'] > 0
    assert on_host(f"stat -c '%a %U' {METRICS}/llamarig.prom") == "644 root"
    assert len(log(on_host)) > lines
    last = log(on_host)[-1]
    assert (last["kind"], last["verdict"]) == ("check", "pass")
    assert pid(on_host) == before
    told = site.run("status", **CHECKED)
    assert told.code == 0, told.output
    assert f"{last['speedup']:.2f}x, " in told.output
    assert " ago" in told.output


def test_a_host_in_use_is_left_alone(lab: Lab, on_host: OnHost) -> None:
    before, lines = metrics(on_host), len(log(on_host))
    with asking(lab) as user:
        on_host(START)
    assert user.errors == []
    after = metrics(on_host)
    skipped = "llamarig_check_skipped_total"
    assert after[skipped] == before[skipped] + 1
    assert {**after, skipped: before[skipped]} == before
    assert len(log(on_host)) == lines
    assert "skipped: users are served" in on_host("journalctl -u llamarig-check -n 20 -o cat")


def test_a_check_never_runs_beside_a_proof(on_host: OnHost) -> None:
    on_host("systemd-run --quiet --collect --unit=llamarig-prove-99 sleep 1000")
    try:
        on_host(START)
    finally:
        on_host("systemctl stop llamarig-prove-99")
    said = on_host("journalctl -u llamarig-check -n 20 -o cat")
    assert "skipped: llamarig-prove-99.service is at work" in said


def test_a_server_that_is_down_fails_its_check(site: Any, on_host: OnHost) -> None:
    on_host("systemctl stop llama-server")
    try:
        on_host(f"! {START}")
        assert metrics(on_host)["llamarig_check_success"] == 0
        assert on_host("systemctl is-active llama-server || true") == "inactive"
        told = site.run("status", **CHECKED)
        assert "check: failed " in told.output
        assert "llama-server.service does not answer" in told.output
    finally:
        on_host("systemctl start llama-server; systemctl reset-failed llamarig-check.service")


def test_a_job_goes_before_a_check(site: Any, on_host: OnHost) -> None:
    """One is under way when somebody asks for a measurement: that one is made."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        on_host(f"{START} --no-block")
        time.sleep(7)  # past its watch
        if on_host(STATE) == "activating":
            break
    ran = smoke(site, **CHECKED)
    assert ran.code == 0, ran.output
    assert "activ" not in on_host("systemctl is-active llamarig-check || true").replace(
        "inactive", ""
    )


@pytest.mark.parametrize("words", ["up", "down --all --yes"])
def test_off_and_down_leave_nothing(site: Any, on_host: OnHost, words: str) -> None:
    assert site.run("up", **CHECKED).code == 0
    assert on_host(LEFT) != ""
    ran = site.run(words, **({} if words == "up" else CHECKED))
    assert ran.code == 0, ran.output
    assert on_host(LEFT) == ""
    assert "llamarig-check" not in on_host("systemctl list-units --all --no-legend 'llamarig-*'")
    assert on_host(f"ls -d {METRICS}") == METRICS
    assert site.run("up").code == 0
    assert site.run("status").host()["drift"] == []
