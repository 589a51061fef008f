"""What is measured apart from users is written down whatever came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llamarig.onhost import bench, tune
from llamarig.onhost.errors import Stop


@pytest.mark.parametrize(("program", "kind", "own"), [(bench, "bench", {"min_speedup": 1.7}),
                                                      (tune, "tune", {"best": None})])  # fmt: skip
def test_a_release_that_does_not_run_is_on_record(
    tmp_path: Path, program: Any, kind: str, own: dict[str, Any]
) -> None:
    unit = tmp_path / "n0.service"
    unit.write_text(f"ExecStart={tmp_path}/no-such-program -m x\n")
    config = {
        "generation": 3, "arms": {"n0": str(unit)}, "build_number": 11434, "backend": "cpu",
        "gpu": None, "measured_with": {"suite": "walkthrough"}, "min_speedup": 1.7,
        "record": str(tmp_path / "record.json"), "measurements": str(tmp_path / "log.jsonl"),
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(Stop, match="no-such-program"):
        program.main(str(tmp_path / "config.json"))
    record = json.loads((tmp_path / "record.json").read_text())
    assert {key: record[key] for key in own} == own
    assert (record["kind"], record["verdict"], record["generation"]) == (kind, "fail", 3)
    assert "no-such-program" in record["reason"]
    assert record["context"]["suite"] == "walkthrough"
    assert not (tmp_path / "log.jsonl").exists()
