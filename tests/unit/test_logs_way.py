"""Journal lines travel whole, in order, and harmless."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llamarig import journal
from llamarig.cli import logs
from llamarig.errors import UserError
from llamarig.tasks.logs import SCRIPT


def written(*lines: bytes) -> list[tuple[str, str]]:
    """What arrives when another process writes these."""
    taken: list[tuple[str, str]] = []
    with journal.receiving(lambda host, line: taken.append((host, line))) as failure:
        way = os.open(os.environ[journal.WAY], os.O_WRONLY)
        for line in lines:
            os.write(way, line)
        os.close(way)
    assert failure() is None
    assert journal.WAY not in os.environ
    return taken


def test_all_lines_arrive_before_it_ends() -> None:
    lines = [journal.packed("gpu01", f"line {number}\ttabbed") for number in range(5000)]
    taken = written(*lines)
    assert len(taken) == 5000
    assert taken[-1] == ("gpu01", "line 4999\ttabbed")


def test_a_line_that_was_cut_is_not_shown_as_one() -> None:
    assert written(b"gpu01\tall of it\n", b"gpu02\thalf of") == [("gpu01", "all of it")]


def test_nobody_listens_any_more() -> None:
    def take(host: str, line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    def run() -> None:
        with journal.receiving(take) as failure:
            failures.append(failure)
            way = os.open(os.environ[journal.WAY], os.O_WRONLY)
            os.write(way, journal.packed("gpu01", "x"))
            os.close(way)
            time.sleep(10)

    failures: list[Callable[[], BaseException | None]] = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run()
    finally:
        signal.signal(signal.SIGINT, before)
    assert isinstance(failures[0](), BrokenPipeError)


def test_a_line_is_shown_without_what_steers_a_terminal() -> None:
    assert journal.shown("gpu01", "a\x1b[31mb\tc", several=False) == "a\ufffd[31mb c"
    assert journal.shown("gpu01", "a", several=True) == "gpu01  a"


def test_what_is_wanted_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(journal.WANTED, raising=False)
    assert journal.wanted() == journal.Wanted()
    wanted = journal.Wanted(7, True, journal.job_units("build"))
    monkeypatch.setenv(journal.WANTED, wanted.text())
    assert journal.wanted() == wanted
    argv = shlex.split(wanted.command())
    assert argv[:2] == ["LC_ALL=C.UTF-8", "journalctl"]
    assert argv[-5:] == ["-f", "-u", "llamarig-build.service", "-u", "llamarig-build-*.service"]


@pytest.mark.parametrize("job", ["", "*", "a b", "-u", "../x", "x;reboot", "x\n"])
def test_a_job_is_a_name(job: str) -> None:
    with pytest.raises(UserError, match="a name such as build"):
        logs._units(job, False)


def test_a_jobs_unit_may_be_typed_as_systemd_shows_it() -> None:
    assert logs._units("llamarig-prove-3.service", False) == journal.job_units("prove-3")
    assert logs._units(None, True) == (journal.JOBS,)
    with pytest.raises(UserError, match="one of them"):
        logs._units("build", True)


def running(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def on_host(tmp_path: Path, program: str) -> subprocess.Popen[str]:
    """The script that runs on hosts, with another program in journalctl's place."""
    (tmp_path / "reader").write_text(program)
    script = SCRIPT.format(command=f"bash {tmp_path / 'reader'}")
    return subprocess.Popen(
        ["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_hosts_program_marks_lines_and_tells_the_end(tmp_path: Path) -> None:
    child = on_host(tmp_path, "echo one; echo; echo '=3'; exit 3\n")
    assert child.stdin
    assert child.stdout
    assert [child.stdout.readline() for _ in range(4)] == ["|one\n", "|\n", "|=3\n", "=3\n"]
    child.stdin.close()
    assert child.wait(10) is not None


def test_the_hosts_program_ends_with_its_channel(tmp_path: Path) -> None:
    child = on_host(tmp_path, f"echo $$ >{tmp_path}/pid; echo here; exec sleep 600\n")
    assert child.stdin
    assert child.stdout
    assert child.stdout.readline() == "|here\n"
    pid = int((tmp_path / "pid").read_text())
    child.stdin.close()
    child.wait(10)
    assert child.stdout.read() == ""  # its writers are gone
    deadline = time.monotonic() + 5
    while running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
