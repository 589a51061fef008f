"""Measurements of hosts over time: points, who is compared with whom, the page over all."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llamarig.cli import report as command
from llamarig.reports import collect, drawing, fleet, palette, series
from llamarig.reports.slim import slim

JUNE = 1781244312.0
CARD = "NVIDIA GeForce RTX 4090"


def record(
    tps: float = 87.4, *, kind: str = "check", when: float = JUNE, **more: Any
) -> dict[str, Any]:
    around = {
        "card": {"name": CARD, "uuid": "GPU-1"}, "cpu": "Ryzen", "release": "b11434-sm89-1",
        "model_sha256": "0" * 64, "recipe": ["llama-server", "-c", "8192"], "prompts_digest": "ab",
    }  # fmt: skip
    return {
        "kind": kind, "verdict": "pass", "min_speedup": 1.7, "speedup": 1.98,
        "interval": [1.95, 2.0], "baseline_tps": tps / 1.98, "mtp_tps": tps, "acceptance": 0.7,
        "finished": when, "context": {**around, **more.pop("context", {})}, **more,
    }  # fmt: skip


def entry(*records: Any, broken: int = 0) -> dict[str, Any]:
    return {
        "measurements": list(records),
        "measurements_broken": broken,
        "problems": [],
        "failed": 0,
    }


def fleet_of(*speeds: float) -> dict[str, Any]:
    return {f"gpu{place}": entry(record(tps)) for place, tps in enumerate(speeds)}


def test_points_are_in_the_order_of_time_whatever_the_log_has() -> None:
    (host,) = collect.hosts({"a": entry(record(2.0, when=JUNE), record(1.0, when=JUNE - 60))})
    assert [point.tps for point in host.points] == [1.0, 2.0]
    assert host.newest is not None
    assert host.newest.gate == 1.7


def test_a_bench_counts_by_its_fastest_depth_and_is_compared_with_nobody() -> None:
    arms = {
        "n0": {"tps": 40.0, "speedup": 1.0, "draft_n_max": 0},
        "n2": {"tps": 84.0, "speedup": 2.1, "draft_n_max": 2},
        "n3": {"tps": 80.0, "speedup": 2.0, "draft_n_max": 3},
    }
    (host,) = collect.hosts({"a": entry(record(kind="bench", verdict=None, arms=arms))})
    (point,) = host.points
    assert (point.tps, point.baseline_tps, point.speedup, point.like) == (84.0, 40.0, 2.1, "")


@pytest.mark.parametrize("when", [None, "now", -1.0, 1e12, float("nan"), True])
def test_a_measurement_of_no_time_is_a_broken_line(when: Any) -> None:
    (host,) = collect.hosts({"a": entry(record(when=when), 5, record(), broken=2)})
    assert (len(host.points), host.broken) == (1, 4)


def test_a_slow_host_is_an_outlier_in_both_its_speeds() -> None:
    odd = collect.odd(collect.hosts(fleet_of(87.0, 87.4, 88.0, 86.6, 70.0)))
    assert {(each.host, each.what) for each in odd} == {
        ("gpu4", "tokens/s with MTP"), ("gpu4", "tokens/s without"),
    }  # fmt: skip
    assert fleet.line(odd[0]) == (
        f"gpu4: tokens/s with MTP 70.0, median of 5 like it 87.0 (z -26.4); {CARD}"
    )


@pytest.mark.parametrize(
    "other",
    [
        {"context": {"card": {"name": "NVIDIA GeForce RTX 3090"}}},
        {"context": {"recipe": ["llama-server", "-c", "4096"]}},
        {"context": {"release": "b11435-sm89-1"}},
        {"context": {"model_sha256": "1" * 64}},
        {"context": {"prompts_digest": "cd"}},
        {"context": {"release": None}},
    ],
)
def test_only_like_is_compared_with_like(other: dict[str, Any]) -> None:
    hosts = fleet_of(87.0, 87.4, 88.0, 86.6)
    assert collect.odd(collect.hosts({**hosts, "x": entry(record(70.0))}))
    assert collect.odd(collect.hosts({**hosts, "x": entry(record(70.0, **other))})) == []


def test_only_a_hosts_newest_figure_is_compared() -> None:
    hosts = fleet_of(87.0, 87.4, 88.0, 86.6)
    hosts["gpu0"]["measurements"].insert(0, record(20.0, when=JUNE - 3600))
    assert collect.odd(collect.hosts(hosts)) == []
    # A recipe that it had once is none of its own any more.
    hosts["x"] = entry(record(70.0, when=JUNE - 60), record(87.0, context={"release": "new"}))
    assert collect.odd(collect.hosts(hosts)) == []


def test_a_host_without_a_card_is_compared_by_its_processor() -> None:
    hosts = {name: entry(record(tps, context={"card": None})) for name, tps in
             {"a": 87.0, "b": 87.4, "c": 88.0, "d": 86.6, "e": 70.0}.items()}  # fmt: skip
    assert {each.device for each in collect.odd(collect.hosts(hosts))} == {"Ryzen"}


def test_what_is_not_known_is_said() -> None:
    hosts = collect.hosts({
        "gone": {"problems": ["could not connect"], "failed": 0}, "new": entry(),
        "torn": entry(record(), broken=2),
    })  # fmt: skip
    assert fleet.notes(hosts) == [
        "gone: not known, could not connect", "new: nothing measured yet",
        "torn: 2 broken line(s) of its log left out",
    ]  # fmt: skip
    assert fleet.cells(hosts[0]) == ["gone", *["-"] * 9]
    assert fleet.cells(hosts[2])[3:] == [
        CARD, "44.1", "87.4", "1.98x", "[1.95, 2.00]", "70%", "pass",
    ]  # fmt: skip


def test_a_slim_record_gives_the_same_point_without_its_samples() -> None:
    arms = {
        "n0": {"tps": 40.0, "per_prompt": {"a": {"tps": 1.0}}},
        "n2": {"tps": 80.0, "speedup": 2.0},
    }
    for full in (record(), record(kind="bench", arms=arms), {}, {"arms": 3, "context": 4}):
        heavy = {**full, "samples": [1], "residency": {"x": 1}}
        thin = slim(heavy)
        assert collect.hosts({"a": entry(thin)}) == collect.hosts({"a": entry(heavy)})
        assert not {"samples", "residency"} & thin.keys()
        assert "per_prompt" not in json.dumps(thin)


@pytest.mark.parametrize("count", [0, 1, 2, 400])
def test_the_page_over_all_hosts_holds_any_number_of_measurements(count: int) -> None:
    kinds = ("proof", "check", "bench", "tune", "live", "smoke", "else")
    records = [
        record(80 + n % 7, kind=kinds[n % 7], when=JUNE + n * 3600, verdict=("pass", "fail")[n % 2])
        for n in range(count)
    ]
    page = fleet.html({"gpu01": entry(*records)})
    assert page.count("<svg") == (count > 0)
    assert ("nothing measured yet" in page) == (count == 0)


def test_a_chart_over_time_without_speeds_is_still_one() -> None:
    bare = record(mtp_tps=None, baseline_tps=None, speedup=None, interval=None, min_speedup=None)
    (host,) = collect.hosts({"a": entry(bare)})
    assert drawing.svg(series.draw(host, palette.DARK)).startswith(b"<?xml")


@pytest.mark.parametrize("drawn", [True, False])
def test_eighty_columns_hold_the_table(
    drawn: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: drawn, raising=False)
    hosts = collect.hosts({"a-host-with-a-long-name": entry(record()), "new": entry()})
    command.show([list(row) for row in (fleet.COLUMNS, *map(fleet.cells, hosts))])
    lines = capsys.readouterr().out.splitlines()
    text = "\n".join(lines)
    assert "1.98x" in text
    assert "[1.95, 2.00]" in text
    if drawn:
        assert max(len(re.sub("\x1b\\[[0-9;]*m", "", line)) for line in lines) <= 80
        assert "4090" in text
    else:
        assert "\x1b" not in text
        assert lines[0].split()[:3] == ["host", "newest", "when"]
