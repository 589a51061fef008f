"""The check's metrics, read back by a strict parser of the text exposition format."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from llamarig.onhost import metrics

RECORD: dict[str, Any] = {
    "verdict": "pass", "speedup": 1.9766, "interval": [1.95, 2.01], "min_speedup": 1.7,
    "baseline_tps": 44.2, "mtp_tps": 87.4, "acceptance": 0.71, "acceptance_length": 3.13,
    "finished": 1764104281.5,
}  # fmt: skip
SKIPPED, UNDECIDED = "llamarig_check_skipped_total", "llamarig_check_undecided_total"


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Series to value, by the format's rules as node_exporter's collector holds to them: each
    metric in one block with HELP and TYPE first and once, names and labels of the right letters,
    counters named _total, no time stamps, a line end at the end."""
    assert text.endswith("\n")
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    kinds: dict[str, str] = {}
    helped: list[str] = []
    block = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, block, meaning = line.split(" ", 3)
            assert block not in helped, "a metric in two blocks"
            assert meaning
            assert "\\" not in meaning
            helped.append(block)
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == block
            assert name not in kinds
            assert kind in ("gauge", "counter")
            assert (kind == "counter") == name.endswith("_total")
            kinds[name] = kind
            continue
        parts = re.fullmatch(
            r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)", line
        )
        assert parts, line
        assert parts[1] == block
        assert parts[1] in kinds
        labels = []
        for each in (parts[2] or "").split(",") if parts[2] else ():
            label = re.fullmatch(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\\n]*)"', each)
            assert label, line
            labels.append((label[1], label[2]))
        series = parts[1], tuple(sorted(labels))
        assert series not in found, "a series twice"
        found[series] = float(parts[3])
    assert set(kinds) == set(helped) == {name for name, _ in found}
    return found


def values(path: Path) -> dict[str, float]:
    """The parsed file, labels as in `name/arm`."""
    return {
        "/".join([name, *(value for _, value in labels)]): value
        for (name, labels), value in parse(path.read_text()).items()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / metrics.FILE


def test_a_measurement_is_all_there(path: Path) -> None:
    metrics.measured(str(path), RECORD)
    assert values(path) == {
        "llamarig_speedup_ratio": 1.9766, "llamarig_speedup_interval_ratio/low": 1.95,
        "llamarig_speedup_interval_ratio/high": 2.01, "llamarig_speedup_gate_ratio": 1.7,
        "llamarig_tokens_per_second/baseline": 44.2, "llamarig_tokens_per_second/mtp": 87.4,
        "llamarig_acceptance_ratio": 0.71, "llamarig_acceptance_length": 3.13,
        "llamarig_check_success": 1, "llamarig_check_timestamp_seconds": 1764104281.5,
        SKIPPED: 0, UNDECIDED: 0,
    }  # fmt: skip


def test_a_fail_without_figures_takes_the_old_ones_away(path: Path) -> None:
    metrics.measured(str(path), RECORD)
    gone = dict.fromkeys(("speedup", "interval", "baseline_tps", "mtp_tps", "acceptance"))
    metrics.measured(str(path), {**RECORD, **gone, "acceptance_length": None, "verdict": "fail"})
    found = values(path)
    assert found["llamarig_check_success"] == 0
    assert not {"llamarig_speedup_ratio", "llamarig_tokens_per_second/mtp"} & set(found)


def test_what_is_counted_goes_on_from_the_file_and_leaves_figures_alone(path: Path) -> None:
    metrics.counted(str(path), SKIPPED)
    assert values(path) == {SKIPPED: 1, UNDECIDED: 0}
    metrics.measured(str(path), RECORD)
    for _ in range(2):
        metrics.counted(str(path), SKIPPED)
    metrics.counted(str(path), UNDECIDED)
    found = values(path)
    assert (found[SKIPPED], found[UNDECIDED]) == (3, 1)
    assert found["llamarig_tokens_per_second/mtp"] == 87.4
    metrics.measured(str(path), RECORD)
    assert values(path)[SKIPPED] == 3


@pytest.mark.parametrize(
    "text",
    ["", "\x00\xff", "garbage", "llamarig_speedup_ratio", "llamarig_speedup_ratio nan",
     "llamarig_speedup_ratio 1 2", "other_metric 1", 'llamarig_speedup_ratio{a="} 1',
     f"{SKIPPED} +Inf\n{SKIPPED} x"],
)  # fmt: skip
def test_a_broken_file_is_begun_anew(path: Path, text: str) -> None:
    path.write_bytes(text.encode("latin-1"))
    metrics.counted(str(path), SKIPPED)
    assert values(path) == {SKIPPED: 1, UNDECIDED: 0}


def test_node_exporter_can_read_it_and_nothing_else_is_left(path: Path) -> None:
    before = os.umask(0o077)
    try:
        metrics.measured(str(path), RECORD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(path.parent) == [metrics.FILE]


def test_a_link_that_the_folders_owner_planted_is_not_followed(path: Path) -> None:
    victim = path.parent / "victim"
    victim.write_text("mine")
    path.with_name(f"{path.name}.tmp").symlink_to(victim)
    path.symlink_to(victim)
    metrics.measured(str(path), RECORD)
    assert victim.read_text() == "mine"
    assert not path.is_symlink()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        metrics.counted(str(tmp_path / "none" / metrics.FILE), SKIPPED)
