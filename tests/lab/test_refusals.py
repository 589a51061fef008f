"""Each mistake is one line, and the host is left as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lock_holder import held_lock

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]


def touched(on_host: OnHost) -> str:
    """Everything that a deploy would change, newest change and size."""
    return on_host(
        "find /opt /var/lib/llamarig /data /etc/systemd/system /etc/passwd "
        "-printf '%p %s %T@\\n' 2>/dev/null | sort | sha256sum"
    )


@pytest.fixture(scope="module")
def second_sshd(lab: Lab) -> None:
    """Something else listens on port 2022; gone with the lab."""
    lab.ssh("gpu01", "systemd-run --quiet --unit=second /usr/sbin/sshd -D -p 2022", sudo=True)


@pytest.fixture
def untouched(on_host: OnHost, second_sshd: None) -> Any:
    before = touched(on_host)
    yield
    assert touched(on_host) == before


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"contxt": 1}, "gpu01: contxt: unknown key, nearest known: context"),
        ({"port": "8080"}, "gpu01: port: found '8080'"),
        ({"port": 99999}, "gpu01: port: found 99999"),
        ({"ssh_port": 2}, "first: llamarig trust"),  # a key is known for an address and a port
        ({"ssh_port": 2, "ssh_strict_host_key_checking": "no"}, "[gpu01] Could not connect"),
        ({"ssh_known_hosts_file": "/dev/null"}, "/dev/null: holds no host's key yet"),
        ({"hf_home": "/srv/hf"}, "hf_home: /srv/hf lies on the system disk"),
        ({"min_free_gib": 5000.0}, "GiB free at /data, 5000.0 GiB needed"),
        ({"port": 2022}, "port: 2022 is taken by sshd"),
    ],
)
def test_one_line_and_nothing_touched(site: Any, changes: dict[str, Any], line: str) -> None:
    ran = site.run("up", **changes)
    assert ran.code == 1, ran.output
    assert line in ran.output or line in str(ran.report), ran.output
    assert "Traceback" not in ran.output


@pytest.mark.usefixtures("untouched")
def test_a_wrong_ssh_key_is_named(site: Any, tmp_path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "k"], check=True
    )
    ran = site.run("up", ssh_key=str(tmp_path / "k"))
    assert ran.code == 1
    assert "Authentication error" in ran.output
    assert "Traceback" not in ran.output


@pytest.mark.usefixtures("untouched")
def test_a_wrong_sudo_password_is_named(site: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("not this one\n")
    ran = site.run("up", "opspw", sudo_password_file=str(wrong))
    assert ran.code == 1
    assert "sudo: the password of opspw is wrong" in ran.output


def test_a_missing_inventory_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "up", str(tmp_path / "no.py")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no.py: no such inventory" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("untouched")
def test_a_held_lock_is_named_with_its_owner(site: Any, lab: Lab) -> None:
    with held_lock(lab):
        ran = site.run("up")
    assert ran.code == 1
    assert "lock: held by ada@desk since today" in ran.output


def test_a_killed_run_frees_the_lock_at_once(site: Any) -> None:
    """The lock lives on our channel: SIGKILL closes it."""
    first = site.start("up", min_free_gib=1.0)
    time.sleep(3)
    os.killpg(first.pid, 9)
    first.communicate()
    again = site.run("plan")
    assert "lock: held" not in again.output
