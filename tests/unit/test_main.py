"""The command line where its streams are closed or full, and before it is there."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

LLAMARIG = f"{shlex.quote(sys.executable)} -m llamarig.cli"


def shell(command: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_closed_streams_are_no_traceback(tmp_path: Path) -> None:
    code, said = shell(f"{LLAMARIG} init site <&- >&-", tmp_path)
    assert code == 1
    assert "no hosts: give each with --host NAME=ADDRESS" in said
    assert "Traceback" not in said


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    code, said = shell(f"{LLAMARIG} --help >/dev/full", tmp_path)
    assert (code, said) == (1, "llamarig: standard output: No space left on device\n")


def test_a_reader_that_goes_is_no_traceback(tmp_path: Path) -> None:
    program = "from llamarig.cli import main; main._run = lambda: print(7); main.main()"
    python = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    _, said = shell(f"{{ sleep 0.3; {python}; echo $? >&2; }} | true", tmp_path)
    assert said == "1\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("''", "--json '': Is a directory"),
        ("/proc/x.json", "--json /proc/x.json: No such file or directory"),
        ("/etc/hostname/x", "--json /etc/hostname/x: Not a directory"),
    ],
)
def test_a_report_without_a_place_is_refused_at_once(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "inventory.py").write_text("hosts = [")  # never read
    code, said = shell(f"{LLAMARIG} plan inventory.py --json {name}", tmp_path)
    assert (code, said) == (1, f"llamarig: {words}; name a file that can be written\n")


def test_ctrl_c_finds_us_awake_early() -> None:
    program = "import sys, llamarig.cli.main; sys.exit('click' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_last_words_do_not_steer_the_terminal(tmp_path: Path) -> None:
    program = (
        "from llamarig.cli import main; from llamarig.errors import UserError\n"
        "def fail(): raise UserError('one\\x1b[31m\\ntwo\\u202e')\n"
        "main._run = fail; main.main()"
    )
    code, said = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}", tmp_path)
    assert (code, said) == (1, "llamarig: one\ufffd[31m\ntwo\ufffd\n")
