"""What a plan says of the site's API key, and that hosts out of a run are asked for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Planner = Callable[..., Any]
CPU: dict[str, object] = {"backend": "cpu"}
# Part of the command of the fact, and of the one that reads the key.
ASKS, READS = "stat -L -c '%U:%G %a' /etc/llamarig/api-key", "sed -n '1{s/"
STORY = """
from llamarig.tasks import api_key, site
from llamarig.tasks.arrival import arrive
from llamarig.tasks.step import step


@step("Key")
def keys():
    arrive()
    api_key.agree(name="Agree on the site's API key", settings=site.settings())
    api_key.have(name="Have the site's API key", settings=site.settings())


keys()
"""
HAVE, AGREE = "Key | Have the site's API key", "Key | Agree on the site's API key"


def has(digest: str, stat: str = "root:root 600") -> dict[str, object]:
    return {**CPU, "answers": {ASKS: [stat, digest], READS: [f"key-{digest}"]}}


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "keys.py"
    path.write_text(STORY)
    return path


def test_a_host_without_a_key_gets_one_and_one_with_a_key_keeps_it(
    plan: Planner, story: Path
) -> None:
    found = plan({"gpu01": has("ab"), "gpu02": CPU}, deploy=story)
    assert found.code == 0, found.output
    assert found.operations[HAVE] == ["@fake/gpu02"]
    assert found.operations[AGREE] == []
    assert "warning" not in found.output


def test_a_key_that_others_can_read_is_mended(plan: Planner, story: Path) -> None:
    hosts = {"gpu01": has("ab", "root:root 644"), "gpu02": has("ab", "ops:ops 600")}
    found = plan(hosts, deploy=story)
    assert sorted(found.operations[HAVE]) == ["@fake/gpu01", "@fake/gpu02"]


@pytest.mark.parametrize("change", [{"bind": "localhost"}, {"api_key": "none"}])
def test_a_host_that_asks_for_no_key_gets_none(
    plan: Planner, story: Path, change: dict[str, object]
) -> None:
    found = plan({"gpu01": {**CPU, **change}}, deploy=story)
    assert found.operations[HAVE] == []


def test_a_plan_warns_of_hosts_with_different_keys(plan: Planner, story: Path) -> None:
    found = plan({"gpu01": has("ab"), "gpu02": has("cd")}, deploy=story)
    assert found.code == 0, found.output
    assert "warning: api_key: @fake/gpu01 has one key, @fake/gpu02 another;" in found.output
    assert found.output.count("warning: api_key") == 1


def test_a_run_refuses_different_keys_on_every_host(plan: Planner, story: Path) -> None:
    hosts = {"gpu01": has("ab"), "gpu02": has("cd"), "gpu03": CPU}
    found = plan(hosts, deploy=story, words=("--json", "--yes"))
    line = (
        "api_key: @fake/gpu01 has one key, @fake/gpu02 another; "
        "llamarig key rotate INVENTORY gives all of them a new one"
    )
    for name in hosts:
        assert found.report["hosts"][f"@fake/{name}"]["problems"] == [line]


def test_a_run_of_some_hosts_asks_the_others_too(plan: Planner, story: Path) -> None:
    hosts = {"gpu01": has("ab"), "gpu02": has("cd")}
    found = plan(hosts, deploy=story, words=("--json", "--yes", "--limit", "@fake/gpu01"))
    (problem,) = found.report["hosts"]["@fake/gpu01"]["problems"]
    assert "@fake/gpu02 another" in problem
    assert list(found.report["hosts"]) == ["@fake/gpu01"]


def test_a_new_host_takes_the_others_key_and_nothing_prints_it(plan: Planner, story: Path) -> None:
    for words in (("--json", "--yes"), ("-vvv", "--diff", "--yes", "--limit", "@fake/gpu02")):
        found = plan({"gpu01": has("ab"), "gpu02": CPU}, deploy=story, words=words)
        assert found.code == 0, found.output
        assert "key-ab" not in found.output
        assert "could not be asked" not in found.output


def test_what_is_no_key_is_not_handed_on(plan: Planner, story: Path) -> None:
    odd = {**CPU, "answers": {ASKS: ["root:root 600", "ab"], READS: ["two words"]}}
    found = plan({"gpu01": odd, "gpu02": CPU}, deploy=story, words=("--json", "--yes"))
    (problem,) = found.report["hosts"]["@fake/gpu02"]["problems"]
    assert problem.startswith("api_key: /etc/llamarig/api-key of @fake/gpu01 holds something else")
    assert "two words" not in found.output
    assert found.report["hosts"]["@fake/gpu01"]["problems"] == []
