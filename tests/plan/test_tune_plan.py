"""What was tuned goes into the units, between what the inventory and what group_data says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_plan_files import CPU, STORY, UNIT, deployed, entry

from llamarig.tuned import PLACE

Planner = Callable[..., Any]
DEEP = """
"@fake/gpu01":
  draft_n_max: 5
  draft_p_min: 0.5
  evidence: {card: NVIDIA GeForce RTX 4090, model_sha256: "%s", measured: '2026-11-01'}
other: {draft_n_max: 2}
""" % ("b" * 64)  # fmt: skip


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "deploy.py"
    path.write_text(STORY)
    return path


def site(folder: Path, tuned: str, group: str = "") -> None:
    (folder / "group_data").mkdir()
    (folder / PLACE).write_text(tuned)
    (folder / "group_data" / "hosts.py").write_text(group)


def changed(found: Any) -> list[str]:
    diff = entry(found)["files"][UNIT].split("\n")[2:]
    return [line.replace(" ", "", 4).strip("\\ ") for line in diff if line[:1] in "+-"]


def test_the_unit_has_the_tuned_depth_and_group_data_does_not_matter(
    plan: Planner, story: Path, tmp_path: Path
) -> None:
    site(tmp_path, DEEP, "draft_n_max = 7\ndraft_p_min = 0.1\n")
    found = plan({"gpu01": {**CPU, "answers": deployed()}}, deploy=story)
    assert changed(found) == [
        "---spec-draft-n-max 3", "+--spec-draft-n-max 5", "+--spec-draft-p-min 0.5",
    ]  # fmt: skip


def test_what_the_inventory_says_of_the_host_beats_it(
    plan: Planner, story: Path, tmp_path: Path
) -> None:
    site(tmp_path, DEEP)
    found = plan({"gpu01": {**CPU, "draft_n_max": 4, "answers": deployed()}}, deploy=story)
    assert changed(found)[:2] == ["---spec-draft-n-max 3", "+--spec-draft-n-max 4"]


def test_what_the_command_line_says_beats_it_too(
    plan: Planner, story: Path, tmp_path: Path
) -> None:
    site(tmp_path, DEEP)
    words = ("--json", "--dry", "--data", "draft_n_max=6")
    found = plan({"gpu01": {**CPU, "answers": deployed()}}, deploy=story, words=words)
    assert changed(found)[:2] == ["---spec-draft-n-max 3", "+--spec-draft-n-max 6"]


def test_evidence_of_another_card_is_a_warning_and_no_more(
    plan: Planner, story: Path, tmp_path: Path
) -> None:
    site(tmp_path, DEEP)
    found = plan({"gpu01": {**CPU, "answers": deployed()}}, deploy=story)
    line = f"warning: {PLACE}: tuned on NVIDIA GeForce RTX 4090, this is no card; `llamarig tune`"
    assert line in found.output
    assert "another model" not in found.output


def test_a_wrong_value_stops_plain_pyinfra_before_anything(
    plan: Planner, story: Path, tmp_path: Path
) -> None:
    site(tmp_path, 'x: {draft_n_max: 99}\n"@fake/gpu01": {draft_p_min: 2, draft_max: 3}\n')
    found = plan({"gpu01": CPU}, deploy=story)
    assert found.code != 0
    for words in (
        "x: draft_n_max: found 99, allowed: a whole number from 1 to 16",
        "@fake/gpu01: draft_p_min: found 2, allowed: a number from 0 to 1 or None",
        "@fake/gpu01: draft_max: unknown key, nearest known: draft_n_max",
    ):
        assert f"{PLACE}: {words}" in found.output
    assert "Traceback" not in found.output


TUNE = "from llamarig.tasks import tune\n\ntune.run()\n"
SEARCH = "Tune | Search for the best draft depth"


def test_a_plan_of_a_tuning_names_the_search_and_writes_nothing(
    plan: Planner, tmp_path: Path
) -> None:
    deploy = tmp_path / "tune.py"
    deploy.write_text(TUNE)
    found = plan({"gpu01": {**CPU, "answers": deployed(draft_n_max=2)}}, deploy=deploy)
    assert found.code == 0, found.output
    assert found.operations[SEARCH] == ["@fake/gpu01"]
    assert not (tmp_path / PLACE).exists()


def test_wrong_options_are_one_line(plan: Planner, tmp_path: Path) -> None:
    deploy = tmp_path / "tune.py"
    deploy.write_text(TUNE)
    words = ("--json", "--dry", "--data", "_tune_depths=9-2")
    found = plan({"gpu01": CPU}, deploy=deploy, words=words)
    assert found.code != 0
    assert "--depths 9-2: allowed: depths from 0 to 16" in found.output
