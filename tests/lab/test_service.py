"""The service as a transaction: generations, rollback, history, and what a deploy costs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True


def history(on_host: OnHost) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in on_host("cat /var/lib/llamarig/history.jsonl").splitlines()
    ]


def current(on_host: OnHost) -> int:
    return int(on_host("basename $(readlink /opt/llamarig/current)"))


def live_pid(on_host: OnHost) -> str:
    return on_host("systemctl show llama-server -p MainPID --value")


def test_a_new_flag_does_not_rebuild_and_the_old_generation_is_the_way_back(
    site: Any, on_host: OnHost
) -> None:
    before, releases = current(on_host), on_host("ls /opt/llamarig/releases")
    ran = site.run("up", draft_n_max=4)
    assert ran.code == 0, ran.output
    assert current(on_host) == before + 1
    assert on_host("ls /opt/llamarig/releases") == releases
    assert on_host("basename $(readlink /opt/llamarig/previous)") == str(before)
    last = history(on_host)[-1]
    assert (last["action"], last["result"], last["generation"]) == ("up", "live", before + 1)
    assert last["previous"] == before
    assert last["down_seconds"] > 0
    assert "@" in last["who"]

    back = site.run("rollback", draft_n_max=4)
    assert back.code == 0, back.output
    assert current(on_host) == before
    assert "generations/{before}/" not in back.output
    line = on_host(f"tr '\\0' ' ' </proc/{live_pid(on_host)}/cmdline")
    assert f"/generations/{before}/" in line
    last = history(on_host)[-1]
    assert (last["action"], last["result"], last["generation"]) == ("rollback", "live", before)


def test_a_rollback_twice_goes_forth_and_one_to_what_serves_does_nothing(
    site: Any, on_host: OnHost
) -> None:
    here = current(on_host)
    assert site.run("rollback").code == 0
    assert current(on_host) == here + 1
    pid = live_pid(on_host)
    again = site.run(f"rollback --to {here + 1}")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    assert live_pid(on_host) == pid
    for words, line in (
        ("rollback --to 99", "rollback: this host has no generation 99; --to one of "),
    ):
        refused = site.run(words)
        assert refused.code == 1
        assert line in refused.output
        assert "Traceback" not in refused.output
    assert live_pid(on_host) == pid


def test_three_old_generations_are_kept_and_never_the_live_or_the_previous(
    site: Any, on_host: OnHost
) -> None:
    for port in (8081, 8082, 8083, 8084, 8085):
        assert site.run("up", port=port).code == 0
    live = current(on_host)
    numbers = [int(each) for each in on_host("ls /opt/llamarig/generations").split()]
    assert sorted(numbers) == list(range(live - 4, live + 1))
    again = site.run("up", port=8085)
    assert (again.code, again.host()["changed"]) == (0, 0), again.output


@pytest.mark.fault  # a proof of its own: make test-lab has the time
def test_kept_below_the_gate_is_said_and_a_second_run_changes_nothing(
    site: Any, on_host: OnHost
) -> None:
    ran = site.run("up", spec_type="none", on_gate_fail="keep")
    assert ran.code == 0, ran.output
    assert "kept" in ran.output
    assert ran.host()["smoke"]["verdict"] == "fail"
    again = site.run("up", spec_type="none", on_gate_fail="keep")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output
    assert site.run("up").code == 0


def test_a_live_form_that_does_not_answer_is_switched_back(
    site: Any, lab: Lab, on_host: OnHost
) -> None:
    """Proven on loopback, but its own address is not this host's: what served serves on."""
    live, down = current(on_host), len(history(on_host))
    ran = site.run("up", tls={"cert": "/etc/no-such.pem", "key": "/etc/no-such.key"})
    assert ran.code == 1, ran.output
    assert current(on_host) == live
    assert on_host("systemctl is-active llama-server") == "active"
    assert len(history(on_host)) in (down, down + 1)
