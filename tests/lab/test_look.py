"""What people see of a made host: status with its drift, the plan with its diffs, the history."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
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

UNIT = "/opt/llamarig/current/llama-server.service"
LINK = "/etc/systemd/system/llama-server.service"
HISTORY = "/var/lib/llamarig/history.jsonl"


@pytest.fixture
def kept(on_host: OnHost) -> Iterator[None]:
    """The unit and the history as they were, and the server serving."""
    on_host(f"cp -a {UNIT} /root/unit; cp -a {HISTORY} /root/history 2>/dev/null; true")
    yield
    on_host(
        f"cat /root/unit >{UNIT}; touch -r /root/unit {UNIT}; rm -rf {LINK}.d; "
        f"ln -sfT {UNIT} {LINK}; cp -a /root/history {HISTORY} 2>/dev/null; "
        "systemctl daemon-reload; systemctl start llama-server"
    )


def drift(site: Any, **changes: Any) -> list[str]:
    """What status says of drift, and that it says it to people too."""
    ran = site.run("status", **changes)
    assert ran.code == 0, ran.output
    lines: list[str] = ran.host()["drift"]
    for line in lines:
        assert f"gpu01: drift: {line}\n" in ran.output
    return lines


def test_what_was_just_deployed_has_no_drift_and_no_plan(site: Any) -> None:
    ran = site.run("status")
    assert ran.code == 0, ran.output
    entry = ran.host()
    assert entry["drift"] == [], ran.output
    assert (entry["service"], entry["generation"], entry["current"]) == ("active", 1, 1)
    assert entry["smoke"]["verdict"] == "pass"
    assert entry["version"]["build_number"] == 11434
    assert entry["keyed"]
    assert len(entry["api_key"]) == 12
    assert "\x1b" not in ran.output
    planned = site.run("plan")
    assert planned.code == 0, planned.output
    assert "gpu01: no operation(s) would change something\n" in planned.output
    assert "then, once" not in planned.output


def test_settings_that_were_not_deployed_are_named(site: Any) -> None:
    (line,) = drift(site, context=4096)
    assert line == "-c 8192 -> 4096; not deployed, `llamarig up` would stage it"
    (line,) = drift(site, model_file="other.gguf", model_sha256="a" * 64)
    assert "-> other.gguf; not deployed" in line


def test_the_plan_shows_the_flag_and_only_what_runs(site: Any, on_host: OnHost) -> None:
    before = on_host("ls /opt/llamarig/generations")
    ran = site.run("plan", context=4096)
    assert ran.code == 0, ran.output
    diff = ran.host()["files"]["llama-server.service"].split("\n")[2:]
    assert [line.strip("+- \\") for line in diff if line[:1] in "+-"] == ["c 8192", "c 4096"]
    assert "candidate-mtp.service: the same lines as llama-server.service" in ran.output
    planned = [each["name"] for each in ran.host()["operations"]]
    assert not any(each.startswith(("Toolchain", "llama.cpp", "Model")) for each in planned)
    assert any("Stage a generation" in each for each in planned)
    assert "\x1b" not in ran.output
    assert on_host("ls /opt/llamarig/generations") == before


@pytest.mark.usefixtures("kept")
def test_a_damaged_model_plans_its_download_and_no_new_generation(
    site: Any, on_host: OnHost
) -> None:
    model = on_host("readlink -f /opt/llamarig/current/model.gguf")
    stamp = on_host(f"stat -c %y {model}")
    on_host(f"touch -d '2001-01-01' {model}")
    try:
        (line,) = drift(site)
        assert line.startswith("no record says that")
        ran = site.run("plan")
        planned = [each["name"].split(" | ")[0] for each in ran.host()["operations"]]
        assert set(planned) == {"Model"}, ran.output
        assert not ran.host().get("files")
    finally:
        on_host(f"touch -d '{stamp}' {model}")


@pytest.mark.usefixtures("kept")
def test_an_edit_by_hand_is_seen(site: Any, on_host: OnHost) -> None:
    on_host(f"sed -i 's/^Restart=.*/Restart=no/' {UNIT}")
    lines = drift(site)
    (edit,) = [line for line in lines if "edited by hand" in line]
    assert "Restart=on-failure -> no" in edit
    assert any("systemctl daemon-reload" in line for line in lines)


@pytest.mark.usefixtures("kept")
def test_a_drop_in_is_seen_and_so_is_a_unit_of_its_own(site: Any, on_host: OnHost) -> None:
    on_host(f"mkdir -p {LINK}.d && printf '[Service]\\nNice=5\\n' >{LINK}.d/override.conf")
    lines = drift(site)
    assert any(line.startswith(f"{LINK}.d/override.conf changes the unit") for line in lines)
    on_host(f"rm -r {LINK}.d && cp --remove-destination {UNIT} {LINK}")
    assert any("is a file of its own" in line for line in drift(site))


@pytest.mark.usefixtures("kept")
def test_a_stopped_server_is_told_with_its_age(site: Any, on_host: OnHost) -> None:
    on_host("systemctl stop llama-server")
    ran = site.run("status")
    assert ran.code == 1, ran.output
    assert "gpu01: not serving: llama-server.service is inactive for " in ran.output
    assert ran.host()["seconds"] < 60
    assert ran.host()["drift"] == []


@pytest.mark.usefixtures("kept")
def test_a_crashing_server_is_told_with_what_it_died_of(site: Any, on_host: OnHost) -> None:
    before = site.run("status").host()["restarts"]
    on_host("systemctl kill -s SEGV llama-server; sleep 8")
    ran = site.run("status")
    assert ran.code == 0, ran.output
    assert ran.host()["restarts"] == before + 1
    assert ran.host()["seconds"] < 10


@pytest.mark.usefixtures("kept")
def test_the_history_is_shown_without_its_broken_lines(site: Any, on_host: OnHost) -> None:
    line = (
        '{"when": 1764104281, "who": "ann@desk", "action": "rollback", "generation": 7, '
        '"previous": 8, "settings": null, "result": "failed", "reason": "it did not answer", '
        '"down_seconds": 3.25}'
    )
    on_host(f"printf '%s\\n' '{line}' '{{\"when\": 17' >>{HISTORY}")
    ran = site.run("history")
    assert ran.code == 0, ran.output
    assert ran.host()["history"][-1]["who"] == "ann@desk"
    shown = next(each for each in ran.output.splitlines() if "ann@desk" in each)
    assert " ".join(shown.split()[3:]) == "rollback 8 -> 7 failed 3.2 s it did not answer"
    assert f"gpu01: 1 broken line(s) of {HISTORY} left out" in ran.output


def test_an_operator_with_a_password_sees_the_same(site: Any, lab: Lab) -> None:
    ran = site.run("status", "opspw")
    assert (ran.code, ran.host()["drift"]) == (0, []), ran.output
    assert site.run("history", "opspw").code == 0


def test_up_waits_for_a_measurement_that_was_left(site: Any, on_host: OnHost) -> None:
    child = site.start("smoke --full")
    serving.candidate_begun(on_host, 60)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    ran = site.run("up")
    assert ran.code == 0, ran.output
    assert "measures on the host; waiting until it is over" in ran.output
    assert on_host("systemctl is-active llama-server") == "active"


def test_up_makes_a_generation_without_the_edit(site: Any, on_host: OnHost) -> None:
    on_host(f"sed -i 's/^Restart=.*/Restart=no/' {UNIT}")
    ran = site.run("up")
    assert ran.code == 0, ran.output
    assert ran.host()["generation"] == 2
    assert ran.host()["smoke"]["reused_from"] == 1
    assert drift(site) == []
    again = site.run("up")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    back = site.run("rollback")
    assert back.code == 1
    assert "generation 1 was edited by hand" in back.output
