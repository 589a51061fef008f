"""Real runs of pyinfra on @fake hosts: one makes a thing, the others take it, nobody hangs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STORY = """
from pathlib import Path

from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig.tasks import fan_out
from llamarig.tasks.operations.outcome import failure


@operation()
def have():
    with fan_out.making("thing"):
        if state.is_executing:
            yield from come()


def come():
    taken = fan_out.await_others("thing", "it makes it", lambda: [])
    if not taken and host.data.get("site_fails"):
        yield failure("it broke")
        return
    with Path("log").open("a") as log:
        log.write(f"{host.name} {'takes' if taken else 'makes'}\\n")
    fan_out.made("thing")


fan_out.lack("thing")
have(name="Have the thing")
"""
HOSTS = ("@fake/gpu01", "@fake/gpu02", "@fake/gpu03")


def ran(folder: Path, *words: str, fails: tuple[str, ...] = ()) -> list[str]:
    """What each host did, in the order of time."""
    data = {"fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": {"uname -s": ["Linux"]}}
    hosts = [(name, {**data, "site_fails": name in fails}) for name in HOSTS]
    (folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    (folder / "deploy.py").write_text(STORY)
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", "-y", *words, "inventory.py", "deploy.py"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (not fails), done.stderr
    return (folder / "log").read_text().splitlines()


@pytest.mark.parametrize("words", [(), ("--serial",), ("--no-wait",), ("--parallel", "1")])
def test_one_makes_it_however_pyinfra_runs_hosts(tmp_path: Path, words: tuple[str, ...]) -> None:
    did = ran(tmp_path, *words)
    assert sorted(line.split()[1] for line in did) == ["makes", "takes", "takes"]
    assert did[0].endswith("makes")


def test_the_first_of_the_inventory_makes_it_where_all_run_at_once(tmp_path: Path) -> None:
    assert ran(tmp_path)[0] == "@fake/gpu01 makes"


def test_the_next_one_makes_it_where_the_first_fails(tmp_path: Path) -> None:
    assert ran(tmp_path, fails=HOSTS[:2]) == ["@fake/gpu03 makes"]
