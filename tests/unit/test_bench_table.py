"""What a bench prints: its own figures, and the walkthrough's beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llamarig.cli import bench_table
from llamarig.reports import walkthrough

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "bench-record.json"


def figures(tps: float, speedup: float | None, **more: Any) -> dict[str, Any]:
    interval = None if speedup is None else [speedup - 0.05, speedup + 0.05]
    return {
        "tps": tps, "speedup": speedup, "interval": interval, "acceptance": 0.7,
        "acceptance_length": 2.5, "prefill_tps": 300.0, **more,
    }  # fmt: skip


def record(*prompts: str, depths: tuple[int, ...] = (0, 2, 4)) -> dict[str, Any]:
    made = {}
    for depth in depths:
        speed, ratio = 50.0 + 10 * depth, 1 + depth / 5
        each = figures(speed, ratio)
        by_prompt = {prompt: {**each, "class": "code"} for prompt in prompts}
        made[f"n{depth}"] = {"draft_n_max": depth, **each, "per_prompt": by_prompt}
    return {"kind": "bench", "arms": made, "rounds": 2, "reason": "the best depth is 4",
            "context": {"cpu": "Some CPU", "suite": "mine", "card": None}}  # fmt: skip


def test_per_prompt_and_average_with_a_column_per_depth() -> None:
    blocks = dict(bench_table.blocks(record("one", "two")))
    assert blocks["tokens a second"][0] == ["prompt", "class", "baseline", "MTP n=2", "MTP n=4"]
    assert ["two", "code", "50.0", "70.0", "90.0"] in blocks["tokens a second"]
    assert ["average", "", "50.0", "70.0", "90.0"] in blocks["tokens a second"]
    assert blocks["speedup"][0] == ["prompt", "class", "MTP n=2", "MTP n=4"]
    assert ["one", "code", "1.40x [1.35, 1.45]", "1.80x [1.75, 1.85]"] in blocks["speedup"]
    depths = blocks["by depth"]
    assert ["MTP n=4", "90.0", "1.80x [1.75, 1.85]", "70%", "2.50", "300"] in depths


def test_the_walkthroughs_figures_stand_below_the_same_prompt_and_depth() -> None:
    blocks = dict(bench_table.blocks(record("marbles", "mine")))
    speeds = blocks["tokens a second"]
    at = next(number for number, line in enumerate(speeds) if line[0] == "marbles")
    assert speeds[at + 1] == [bench_table.THEIRS, "", "44.2", "85.2", "-"]
    assert speeds[at + 2][0] == "mine"
    assert speeds[at + 3][0] == "average"
    assert speeds[-1] == [bench_table.THEIRS, "", "44.2", "82.1", "-"]
    assert blocks["speedup"][-1] == [bench_table.THEIRS, "", "1.86x", "-"]


def test_a_depth_that_the_walkthrough_lacks_has_no_line_of_its() -> None:
    blocks = dict(bench_table.blocks(record("mine", depths=(0, 7))))
    assert [line[0] for line in blocks["by depth"]] == [
        "", "baseline", bench_table.THEIRS, "MTP n=7",
    ]  # fmt: skip
    assert [line[0] for line in blocks["speedup"]] == ["prompt", "mine", "average"]


def test_depths_are_in_the_order_of_numbers() -> None:
    made = json.loads(json.dumps(record("mine", depths=(0, 2, 10)), sort_keys=True))
    assert dict(bench_table.blocks(made))["speedup"][0][2:] == ["MTP n=2", "MTP n=10"]


def test_the_walkthroughs_own_table_gives_its_averages() -> None:
    blocks = dict(bench_table.blocks(walkthrough.record()))
    lines = blocks["tokens a second"]
    assert lines[-2] == ["average", "", "44.2", "82.1", "87.4"]
    assert blocks["speedup"][-2][-1] == "1.98x"


@pytest.mark.parametrize("broken", [{}, {"arms": {}}, {"arms": 5}, {"reason": "it was stopped"}])
def test_nothing_measured_is_one_line(
    capsys: pytest.CaptureFixture[str], broken: dict[str, Any]
) -> None:
    bench_table.show("gpu01", broken)
    printed = capsys.readouterr().out.strip()
    assert printed == f"gpu01: {broken.get('reason', 'nothing was measured')}"


def test_a_hosts_words_can_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = record("one\x1b[2J")
    evil["context"]["cpu"] = evil["reason"] = "\x1b]0;x\x07"
    bench_table.show("gpu\x1b01", evil)
    assert "\x1b" not in capsys.readouterr().out


def test_what_it_was_measured_on_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    bench_table.show("gpu01", json.loads(RECORDED.read_text()))
    printed = capsys.readouterr().out
    assert "measured on NVIDIA GeForce RTX 4090, 450 W, suite walkthrough, 7 rounds" in printed
    bench_table.show("gpu01", record("one"))
    assert "measured on Some CPU, suite mine, 2 rounds" in capsys.readouterr().out
