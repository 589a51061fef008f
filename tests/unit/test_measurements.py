"""The log of measurements as hosts keep it, and as it is read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from llamarig.onhost import measurements
from llamarig.paths import MEASUREMENTS
from llamarig.tasks.facts.measurements import MOST_BYTES, Measurements

RECORD: dict[str, Any] = {
    "kind": "check", "finished": 1764104281.5, "generation": 4, "verdict": "pass", "reason": "well",
    "speedup": 1.98, "interval": [1.95, 2.01], "samples": [{"tps": 87.4}],
}  # fmt: skip


def test_what_the_host_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state" / "measurements.jsonl"
    for speedup in (1.9, 1.98):
        measurements.append(str(path), {**RECORD, "speedup": speedup})
    old, new = Measurements().process(path.read_text().splitlines()).entries
    assert (old.speedup, new.speedup, new.interval) == (1.9, 1.98, (1.95, 2.01))
    assert (new.kind, new.generation, new.verdict) == ("check", 4, "pass")
    assert "samples" not in new.record
    assert measurements.read(str(path)) == [old.record, new.record]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(path.parent) == [path.name]


def test_everybody_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before = os.umask(0o077)
    try:
        measurements.append(str(path), RECORD)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_it_is_bounded_and_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f'{{"generation": {number}}}\n' for number in range(700)))
    measurements.append(str(path), {**RECORD, "generation": 700})
    numbers = [each["generation"] for each in measurements.read(str(path))]
    assert numbers == list(range(201, 701))


@pytest.mark.parametrize("torn", ['{"kind": "proof", "fini', "\x00\x00\x00", "[" * 5000])
def test_a_torn_line_costs_no_other(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "log"
    path.write_text(f"{json.dumps(RECORD)}\n{torn}")
    measurements.append(str(path), {**RECORD, "generation": 5})
    assert [each["generation"] for each in measurements.read(str(path))] == [4, 5]
    found = Measurements().process(path.read_text().splitlines())
    assert [each.generation for each in found.entries] == [4, 5]
    assert found.broken == 1


def test_a_line_that_would_be_too_long_says_what_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "log"
    measurements.append(str(path), {**RECORD, "context": "x" * 10**6, "arms": "y" * 10**5})
    (line,) = path.read_bytes().splitlines()
    assert len(line) < 65536
    found = json.loads(line)
    assert found["cut"] == ["arms", "context"]
    assert found["speedup"] == 1.98


def test_two_at_once_both_get_in(tmp_path: Path) -> None:
    path = tmp_path / "log"

    def many(first: int) -> None:
        for number in range(first, first + 20):
            measurements.append(str(path), {**RECORD, "generation": number})

    threads = [threading.Thread(target=many, args=(first,)) for first in (0, 100)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    numbers = sorted(each["generation"] for each in measurements.read(str(path)))
    assert numbers == [*range(20), *range(100, 120)]


def test_a_log_that_can_not_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").mkdir()
    measurements.append(str(tmp_path / "log"), RECORD)
    assert f"{tmp_path}/log: Is a directory" in capsys.readouterr().out


def test_broken_lines_are_counted() -> None:
    broken = [
        "{", "[]", "null", '"x"', "{" * 5000, json.dumps({**RECORD, "kind": "guess"}),
        json.dumps({**RECORD, "verdict": "maybe"}), json.dumps({**RECORD, "finished": "now"}),
        json.dumps({**RECORD, "speedup": True}), json.dumps({**RECORD, "speedup": float("nan")}),
        json.dumps({**RECORD, "interval": [1]}), json.dumps({**RECORD, "interval": ["a", "b"]}),
        json.dumps({**RECORD, "generation": "4"}), json.dumps({**RECORD, "finished": 10**400}),
        json.dumps({**RECORD, "reason": 7}), json.dumps({**RECORD, "kind": []}),
    ]  # fmt: skip
    bare = json.dumps({"kind": "bench", "finished": 1})
    found = Measurements().process([json.dumps(RECORD), *broken, "", bare])
    assert (len(found.entries), found.broken) == (2, len(broken))
    assert found.entries[1].speedup is None


def test_the_newest_of_a_kind() -> None:
    kinds = ("proof", "check", "live", "tune")
    found = Measurements().process([json.dumps({**RECORD, "kind": kind}) for kind in kinds])
    newest = found.newest("check", "live")
    assert newest
    assert newest.kind == "live"
    assert found.newest("bench") is None


def asked(path: Path, most: int = 500) -> str:
    """What the fact's command prints of a log that lies at `path`."""
    line = Measurements().command(most).replace(MEASUREMENTS, str(path))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_the_newest_lines_are_read_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [json.dumps({**RECORD, "generation": number}) for number in range(300)]
    path.write_text("\n".join([*lines, "x" * (MOST_BYTES + 10**6), *lines[:10]]) + "\n")
    printed = asked(path, 50)
    assert len(printed) <= MOST_BYTES
    found = Measurements().process(printed.splitlines())
    assert [each.generation for each in found.entries] == list(range(10))
    assert found.broken == 1
    assert asked(tmp_path / "none") == ""
