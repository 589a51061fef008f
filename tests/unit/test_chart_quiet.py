"""Drawing stays out of the way: no home, no words, no import before it is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from llamarig.reports import chart, drawing, palette, run

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "bench-record.json"
READ = f"json.loads(pathlib.Path({str(RECORDED)!r}).read_text())"


def test_it_draws_without_a_home_and_says_nothing(tmp_path: Path) -> None:
    script = (
        "import json, pathlib, sys; from llamarig.reports import page;"
        f"page.write({READ}, pathlib.Path(sys.argv[1]))"
    )
    # A folder below a device can't be made, not even by root.
    bare = {
        "PATH": os.environ["PATH"],
        "HOME": "/dev/null/home",
        "LLAMARIG_CACHE": "/dev/null/cache",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env=bare, capture_output=True, text=True,
        cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "chart.png").stat().st_size > 10_000


def test_a_folders_own_look_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("xtick.major.pad: 40\nbroken line\n")
    script = (
        "import json, pathlib, sys; from llamarig.reports import chart, drawing, palette, run;"
        f"r = run.read({READ});"
        "sys.stdout.buffer.write(drawing.png(chart.draw(r, palette.LIGHT)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, check=True
    )
    recorded = run.read(json.loads(RECORDED.read_text()))
    assert done.stdout == drawing.png(chart.draw(recorded, palette.LIGHT))
    assert done.stderr == b""


def test_no_command_loads_matplotlib_before_it_draws() -> None:
    script = (
        "import sys, llamarig.cli.commands, llamarig.reports.page, llamarig.reports.fleet;"
        "print([name for name in sys.modules if name.startswith('matplotlib')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
