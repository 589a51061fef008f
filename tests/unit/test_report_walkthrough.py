"""The walkthrough's raw table through our own statistics, and beside one's own figures."""

from __future__ import annotations

import pytest

from llamarig.measure.speedup import estimate
from llamarig.reports import compare, run, walkthrough


@pytest.mark.parametrize(
    ("arm", "average", "ratio"), [("n2", "82.1", "1.86"), ("n3", "87.4", "1.98")]
)
def test_its_raw_table_gives_its_averages(arm: str, average: str, ratio: str) -> None:
    found = estimate(walkthrough.samples(), arm=arm, baseline="n0")
    assert f"{found.baseline_tps:.1f}" == "44.2"
    assert f"{found.mtp_tps:.1f}" == average
    assert f"{found.speedup:.2f}" == ratio
    assert found.rounds == 1


def test_its_raw_table_gives_its_speedup_of_every_prompt() -> None:
    found = estimate(walkthrough.samples(), arm="n3", baseline="n0").by_prompt
    assert {name: f"{ratio.speedup:.2f}" for name, ratio in found.items()} == {
        "fibonacci": "1.87", "var-log": "1.85", "marbles": "2.21",
    }  # fmt: skip


def test_as_a_record_it_has_no_intervals_but_its_prefill() -> None:
    found = run.read(walkthrough.record())
    assert [arm.label for arm in found.arms] == ["baseline", "MTP n=2", "MTP n=3"]
    best = found.best
    assert best is not None
    assert best.name == "n3"
    assert f"{best.overall.prefill_loss:.1%}" == "32.8%"
    assert all(
        one.interval is None for arm in found.arms for one in (arm.overall, *arm.prompts.values())
    )


def test_compared_with_itself_both_sides_are_alike() -> None:
    header, *rows = compare.rows(walkthrough.record())
    assert header == compare.HEADER
    assert len(rows) == 3 * (3 + 1)
    assert ["fibonacci", "MTP n=3", "82.8", "1.87x", "-", "82.8", "1.87x"] in rows
    assert ["average", "MTP n=3", "87.4", "1.98x", "-", "87.4", "1.98x"] in rows
    assert compare.headline(run.read(walkthrough.record())) == (
        "44.2 to 87.4 tokens/s, 1.98x with MTP n=3 (NVIDIA GeForce RTX 4090, "
        "Qwopus3.6-27B-v2 Q4_K_M; Doubling Qwopus 3.6 on a single RTX 4090, May 2026)"
    )


def test_an_average_over_other_prompts_is_not_compared() -> None:
    record = walkthrough.record()
    for arm in record["arms"].values():
        del arm["per_prompt"]["marbles"]
    rows = compare.rows(record)
    assert {row[0] for row in rows[1:]} == {"fibonacci", "var-log"}
    assert compare.headline(run.read(record)) == ""


def test_other_prompts_and_other_depths_have_nothing_beside_them() -> None:
    arms = {"n5": {"draft_n_max": 5, "tps": 80.0, "per_prompt": {"fibonacci": {"tps": 80.0}}}}
    assert compare.rows({"kind": "bench", "arms": arms}) == []
    assert compare.rows({"kind": "proof"}) == []
