"""Journals of made hosts: shown, followed, ended, and nothing left behind."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
# The kernel gives a dead link up after 20 s; the host's side after 20 s without a heartbeat.
BOUND_SECONDS = 60


def as_at_a_terminal() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def start(site: Any, *words: str, operator: str = "ops", inventory: Path | None = None) -> Any:
    """`llamarig logs`, left running; stdout and stderr apart."""
    return subprocess.Popen(
        [sys.executable, "-m", "llamarig.cli", "logs", str(inventory or site.inventory()), *words],
        env=site.environment(operator), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=as_at_a_terminal,
    )  # fmt: skip


def run(site: Any, *words: str, **more: Any) -> tuple[int, list[str], str]:
    """Exit status, stdout's lines, stderr."""
    child = start(site, *words, **more)
    out, err = child.communicate(timeout=120)
    assert "Traceback" not in err
    assert "\x1b" not in out
    return child.returncode, out.splitlines(), err


def readers(on_host: OnHost) -> str:
    return on_host("pgrep -xc 'journalctl|sed' || true")


def until_nobody_reads(on_host: OnHost, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while readers(on_host) != "0":
        assert time.monotonic() < deadline, on_host("ps -eo pid,ppid,args")
        time.sleep(0.5)


def test_the_services_lines_and_a_jobs(site: Any, on_host: OnHost) -> None:
    # Of the host's own jobs nothing is left: from a snapshot it starts with another machine-id.
    for name in ("prove-77", "build-0a1b"):
        on_host(f"systemd-run -q --wait --collect --unit=llamarig-{name} echo 'said by {name}'")
    code, lines, err = run(site)
    assert code == 0, err
    assert any("llama-server[" in line for line in lines)
    assert any("said by prove-77" in line for line in lines)
    for words, told in (
        (("--jobs",), ["prove-77", "build-0a1b"]),
        (("--job", "prove"), ["prove-77"]),
        (("--job", "build-0a1b"), ["build-0a1b"]),
        (("--job", "llamarig-prove-77.service", "-n", "1"), []),
    ):
        code, lines, err = run(site, *words)
        assert code == 0, err
        assert [line.split(" ")[-1] for line in lines if "]: said by" in line] == told
        assert lines
        assert not any("llama-server[" in line for line in lines)
    code, nothing, err = run(site, "--job", "none-such")
    assert (code, nothing) == (0, [])
    assert "[gpu01] nothing of that is in its journal" in err
    until_nobody_reads(on_host, 10)


def test_ctrl_c_ends_it_on_both_sides(site: Any, on_host: OnHost) -> None:
    child = start(site, "-f", "-n", "1")
    assert child.stdout.readline()
    assert readers(on_host) != "0"
    on_host("systemctl restart llama-server")
    assert any("Started" in line for line in child.stdout if "llama-server" in line)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=10)
    assert child.returncode == 130
    assert err.endswith("\nllamarig: stopped\n"), err
    assert "Traceback" not in err
    until_nobody_reads(on_host, 10)


def test_a_reader_that_goes_away_ends_it_too(site: Any, on_host: OnHost) -> None:
    child = start(site, "-f", "-n", "100")
    assert child.stdout.readline()
    child.stdout.close()
    on_host("systemctl restart llama-server")  # the next lines find nobody
    assert child.wait(30) == 1
    err = child.stderr.read()
    assert "Traceback" not in err
    until_nobody_reads(on_host, 10)


def test_a_dead_link_is_one_line(site: Any, lab: Lab, on_host: OnHost) -> None:
    child = start(site, "-f", "-n", "1")
    assert child.stdout.readline()
    try:
        lab.unplug("gpu01")
        _, err = child.communicate(timeout=BOUND_SECONDS)
    finally:
        lab.plug("gpu01")
        child.kill()
    assert child.returncode == 1
    assert [line for line in err.splitlines() if "the connection was lost" in line], err
    assert "Traceback" not in err
    until_nobody_reads(on_host, 30)


def test_with_a_sudo_password_and_with_several_hosts(site: Any, on_host: OnHost) -> None:
    code, lines, err = run(site, "-n", "2", operator="opspw")
    assert (code, len(lines)) == (0, 2), err
    # One made host under two names is two hosts to us.
    two = site.folder / "two.py"
    two.write_text(site.inventory().read_text() + "hosts += [('gpu02', hosts[0][1])]\n")
    code, lines, err = run(site, "-n", "3", inventory=two)
    assert code == 0, err
    assert sorted(line.split("  ")[0] for line in lines) == ["gpu01"] * 3 + ["gpu02"] * 3
    # What a host said stays together.
    assert len([1 for a, b in itertools.pairwise(lines) if a[:5] != b[:5]]) == 1
    code, lines, _ = run(site, "gpu02", "-n", "3", inventory=two)
    assert (code, len(lines)) == (0, 3)
    assert not lines[0].startswith("gpu02  ")
    until_nobody_reads(on_host, 10)
