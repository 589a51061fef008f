"""The story as part of a rollout: what a look finds, and where a run ends that only stages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from test_plan_files import CPU, deployed

from llamarig.paths import API_KEY

Planner = Callable[..., Any]
LOOK = ("--json", "--dry", "--data", "_until=look")
STAGE = ("--json", "--dry", "--data", "_until=stage")
HOST = "@fake/gpu01"
LIVE = ["ActiveState=active", "MainPID=7", "Command=/opt/llamarig/generations/3/release/bin/x"]
HEALTH = "%{http_code}"


def answers(**more: list[str]) -> dict[str, object]:
    return {**deployed(), "-p ActiveState -p MainPID": LIVE, HEALTH: ["active", "200"], **more}


def steps(found: Any) -> set[str]:
    return {name.split(" | ")[0] for name, hosts in found.operations.items() if hosts}


def test_a_look_says_what_serves_by_right(plan: Planner) -> None:
    found = plan({"gpu01": {**CPU, "answers": answers()}}, words=LOOK)
    entry = found.report["hosts"][HOST]
    assert (entry["staged"], entry["settled"]) == (3, True)
    assert entry["smoke"]["verdict"] == "pass"
    assert entry["url"] == "http://@fake/gpu01:8080"
    assert not found.operations["Proof | Prove the candidate"]
    assert not found.operations["Switch | Serve the proven generation"]


def test_only_a_look_asks_each_thing_once(plan: Planner) -> None:
    hosts = {"gpu01": {**CPU, "answers": answers()}}
    generations = ">>> echo $(readlink /opt/llamarig/current"
    assert plan(hosts, words=(*LOOK, "-vv")).output.count(generations) == 1
    for words in (STAGE, ("--json", "--dry")):
        assert plan(hosts, words=(*words, "-vv")).output.count(generations) > 1


@pytest.mark.parametrize("health", [["active", "503"], ["active", "000"], ["failed", "000"]])
def test_a_server_that_does_not_answer_is_something_to_do(plan: Planner, health: list[str]) -> None:
    hosts = {"gpu01": {**CPU, "answers": answers(**{HEALTH: health})}}
    found = plan(hosts, words=LOOK)
    assert found.operations["Switch | Serve the proven generation"] == [HOST]
    # A plan asks nothing that `up` would wait for.
    assert plan(hosts).operations["Switch | Serve the proven generation"] == []


def test_a_look_says_what_is_still_to_be_proven(plan: Planner) -> None:
    changed = {**CPU, "context": 4096}
    found = plan({"gpu01": {**changed, "answers": answers()}}, words=LOOK)
    assert "settled" not in found.report["hosts"][HOST]  # nothing is staged for these settings
    assert found.operations["Proof | Prove the candidate"] == [HOST]


def test_a_run_that_stages_neither_proves_nor_switches(plan: Planner) -> None:
    hosts = {"gpu01": CPU}
    assert steps(plan(hosts)) - steps(plan(hosts, words=STAGE)) == {"Proof", "Switch"}


def test_a_run_that_stages_says_what_is_to_be_proven(plan: Planner) -> None:
    found = plan({"gpu01": {**CPU, "answers": answers()}}, words=STAGE)
    entry = found.report["hosts"][HOST]
    assert (entry["staged"], entry["settled"]) == (3, True)


def test_hosts_with_different_keys_are_refused_by_the_look_all_of_them(plan: Planner) -> None:
    key = f"stat -L -c '%U:%G %a' {API_KEY}"
    hosts = {
        name: {**CPU, "answers": answers(**{key: ["root:root 600", digest * 64]})}
        for name, digest in (("gpu01", "a"), ("gpu02", "b"))
    }
    for words, problems in ((LOOK, 1), (("--json", "--dry"), 0)):
        told = [each["problems"] for each in plan(hosts, words=words).report["hosts"].values()]
        assert list(map(len, told)) == [problems] * 2
        assert all("llamarig key rotate" in line for lines in told for line in lines)


def test_warnings_are_said_once_in_a_rollout(plan: Planner) -> None:
    hosts = {"gpu01": CPU}
    warned = "warning: this machine can't ask"
    assert warned in plan(hosts, words=LOOK).output
    after = (*STAGE, "--data", "_after=look")
    assert warned not in plan(hosts, words=after).output
