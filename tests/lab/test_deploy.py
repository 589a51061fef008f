"""The whole deploy on a made host, twice, by two operators, and the gate that holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import serving
from processes import command_lines

from llamarig.rehearsal import model
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def live_pid(on_host: OnHost) -> str:
    return on_host("systemctl show llama-server -p MainPID --value")


@pytest.mark.fault
def test_with_nothing_before_a_failed_candidate_stays_stopped(
    site: Any, lab: Lab, on_host: OnHost
) -> None:
    ran = site.run("up", spec_type="none")
    assert ran.code == 1, ran.output
    assert "compile" in ran.output  # progress, as plain lines
    assert "nothing serves and the candidate stays stopped: try another draft_n_max" in ran.output
    assert on_host("ls /opt/llamarig/current 2>&1 || true").endswith("No such file or directory")
    assert on_host("systemctl is-active llama-server || true") == "inactive"
    assert on_host("pgrep -c llama-server || true") == "0"
    lab.kill("gpu01")
    lab.restart("gpu01")
    assert on_host("pgrep -c llama-server || true") == "0"
    assert on_host("systemctl is-system-running --wait") == "running"


def test_an_empty_host_becomes_a_proven_server(site: Any, lab: Lab, on_host: OnHost) -> None:
    ran = site.run("up")
    assert ran.code == 0, ran.output
    proof = ran.host()["smoke"]
    assert proof["verdict"] == "pass"
    assert proof["interval"][0] >= 1.7
    assert proof["acceptance"] > 0.9
    assert {each["arm"] for each in proof["samples"]} == {"baseline", "mtp"}
    assert on_host("systemctl is-active llama-server") == "active"
    assert on_host("systemctl is-enabled llama-server") in ("enabled", "linked")
    assert "(build 11434," in on_host(
        "/opt/llamarig/current/release/bin/llama-server --version 2>&1"
    )


def test_what_runs_is_the_recipe_in_a_sandbox(lab: Lab, on_host: OnHost) -> None:
    line = on_host(f"tr '\\0' ' ' </proc/{live_pid(on_host)}/cmdline")
    for words in (
        "--spec-type draft-mtp --spec-draft-n-max 3 -np 1 --jinja", "-fa on",
        "--cache-type-k q8_0 --cache-type-v q8_0", "--temp 0.6 --top-p 0.95 --top-k 20",
        "--host 0.0.0.0 --port 8080",
    ):  # fmt: skip
        assert words in line
    assert on_host(f"ps -o user= -p {live_pid(on_host)}") == "llamarig"
    answer = serving.ask(lab)
    assert answer["timings"]["draft_n_accepted"] > 0
    assert on_host("systemctl is-system-running") == "running"


def test_a_second_run_changes_nothing_and_says_so(site: Any, on_host: OnHost) -> None:
    before = live_pid(on_host)
    ran = site.run("up")
    assert ran.code == 0, ran.output
    assert (ran.host()["changed"], ran.host()["failed"]) == (0, 0)
    assert ran.host()["unchanged"] > 5
    assert "nothing to do" in ran.output
    assert live_pid(on_host) == before
    planned = site.run("plan")
    assert (planned.code, "no operation(s)" in planned.output) == (0, True)


def test_plain_pyinfra_as_the_operator_with_a_password_agrees(
    site: Any, lab: Lab, on_host: OnHost
) -> None:
    before = live_pid(on_host)
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", "inventory.py", "deploy.py", "--yes", "--json"],
        cwd=site.folder, env=site.environment("opspw"), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["failed_hosts"] == []
    assert [each["name"] for each in results["operations"] if each["success"]] == []
    assert "[gpu01] 0 changed, " in done.stderr
    assert "unchanged: nothing to do" in done.stderr
    assert live_pid(on_host) == before


def test_the_sudo_password_stays_in_its_file(site: Any, lab: Lab, on_host: OnHost) -> None:
    """While a run goes on, nobody on either side can read the password from the process list."""
    with open(lab.state.sudo_password_file) as file:
        password = file.read().strip()
    child = site.start("up", "opspw", port=8081)
    seen = ""
    try:
        while child.poll() is None:
            seen += on_host("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true")
            seen += command_lines()
    finally:
        output, _ = child.communicate(timeout=600)
    assert "held-by-askpass" in seen  # we did look while sudo was used
    assert password not in seen
    assert password not in output
    assert password not in on_host("journalctl --no-pager; true")
    assert on_host("ls -d /tmp/llamarig-sudo-* /run/user/*/llamarig-sudo-* 2>/dev/null; true") == ""
    assert site.run("up").code == 0  # back to port 8080, with the proof it has


def test_a_damaged_model_is_replaced_under_the_live_server(site: Any, on_host: OnHost) -> None:
    blob = on_host("readlink -f /opt/llamarig/current/model.gguf")
    main_pid = "systemctl show llama-server -p MainPID --value"
    before = on_host(main_pid)
    on_host(f"printf x | dd of={blob} bs=1 seek=40000000 conv=notrunc status=none")
    found = site.run("models verify")
    assert found.code == 1, found.output
    assert "uses it, so it stays there" in found.output
    assert on_host("readlink -f /opt/llamarig/current/model.gguf") == blob
    mended = site.run("up")
    assert mended.code == 0, mended.output
    assert on_host(f"sha256sum {blob}").split()[0] == model.SHA256["good"]
    assert on_host(main_pid) != before  # what it had in memory were the damaged bytes
    again = site.run("up")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"spec_type": "none"}, "is below 1.70"),
        pytest.param(
            {"model_file": model.FILES["bad"], "model_sha256": model.SHA256["bad"]},
            "is below 1.70",
            marks=pytest.mark.fault,
        ),
        ({"model_file": model.FILES["none"], "model_sha256": model.SHA256["none"]}, "no MTP heads"),
    ],
)
def test_the_gate_holds_and_what_served_serves_on(
    site: Any, lab: Lab, on_host: OnHost, change: dict[str, Any], line: str
) -> None:
    live = on_host("readlink /opt/llamarig/current")
    ran = site.run("up", **change)
    assert ran.code == 1, ran.output
    assert any(line in problem for problem in ran.host()["problems"]), ran.output
    if "below" in line:
        assert "serves on; the candidate stays stopped: find the best draft depth" in ran.output
    assert "[gpu01]" in ran.output
    assert on_host("readlink /opt/llamarig/current") == live
    assert serving.ask(lab)["timings"]["draft_n_accepted"] > 0
    assert on_host("ls /run/systemd/system | grep -c candidate || true") == "0"


def test_ctrl_c_ends_at_once_and_the_job_goes_on(site: Any, on_host: OnHost) -> None:
    child = site.start("smoke --full")
    until(lambda: "llamarig-prove" in on_host("systemctl list-units --plain 'llamarig-prove-*'"))
    os.killpg(child.pid, signal.SIGINT)  # what a terminal does
    output, _ = child.communicate(timeout=10)
    assert child.returncode == 130
    assert output.endswith(
        "llamarig: stopped; jobs that run on hosts go on, the same command joins them\n"
    )
    assert "Traceback" not in output
    assert "llamarig-prove" in on_host("systemctl list-units --plain 'llamarig-prove-*'")


def test_smoke_measures_again_and_status_tells(site: Any) -> None:
    measured = site.run("smoke --full")
    assert "already running on the host, joined" in measured.output  # what Ctrl-C left
    assert measured.code == 0, measured.output
    assert measured.host()["smoke"]["verdict"] == "pass"
    told = site.run("status")
    assert told.code == 0, told.output
    assert told.host()["drift"] == []
