"""A server that asks for the API key: who is let in, where the key is readable, a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from processes import command_lines

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
FILE = "/etc/llamarig/api-key"
# Both need the key; the second one makes the server work.
PATHS = ("/v1/models", "/v1/chat/completions")
BODY = '{"messages":[{"role":"user","content":"Count."}],"max_tokens":8}'


@pytest.fixture(scope="module")
def neighbour(lab: Lab) -> str:
    """Another host on the same network, with nothing of ours."""
    lab.up(2, services=True)
    return "gpu02"


def asked(lab: Lab, neighbour: str, path: str, key: str | None) -> str:
    """The HTTP status that the neighbour gets; the key goes through a file of its own."""
    header = f"Authorization: Bearer {key}" if key else "X-Nothing: none"
    url = f"http://{lab.state.host('gpu01').address}:8080{path}"
    body = f"-H 'Content-Type: application/json' -d '{BODY}'" if "chat" in path else ""
    command = (
        f"printf '%s\\n' '{header}' >/root/header && "
        f"curl -s -m 60 -o /dev/null -w '%{{http_code}}' -H @/root/header {body} {url}"
    )
    done = lab.ssh(neighbour, command, sudo=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def show(site: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "key", "show", str(site.inventory())],
        env=site.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


@pytest.mark.parametrize("path", PATHS)
def test_a_request_from_another_host_needs_the_key(
    site: Any, lab: Lab, neighbour: str, path: str
) -> None:
    key = show(site)
    assert asked(lab, neighbour, path, None) == "401"
    assert asked(lab, neighbour, path, key[:-1]) == "401"
    assert asked(lab, neighbour, path, "x" * 43) == "401"
    assert asked(lab, neighbour, path, key) == "200"
    assert asked(lab, neighbour, "/health", None) == "200"


def test_nothing_on_the_host_says_the_key(on_host: OnHost) -> None:
    key = on_host(f"cat {FILE}")
    pid = on_host("systemctl show llama-server -p MainPID --value")
    assert "--api-key-file" in on_host(f"tr '\\0' ' ' </proc/{pid}/cmdline")
    for command in (
        "ps -eww -o args",
        "cat /proc/[0-9]*/cmdline 2>/dev/null; true",
        "cat /proc/[0-9]*/environ 2>/dev/null; true",
        "systemctl show llama-server; systemctl cat llama-server",
        "journalctl --no-pager",  # sudo's log is part of it
    ):
        assert key not in on_host(command), command
    # What systemd lends the unit is a copy in memory, which root and the unit's user can read.
    found = on_host(f"grep -rlsF -f {FILE} /etc /opt /var /tmp /root /home; true")
    assert found == FILE


def test_a_run_with_all_of_pyinfras_words_does_not_say_the_key(site: Any, on_host: OnHost) -> None:
    key = on_host(f"cat {FILE}")
    inventory = site.inventory()
    child = subprocess.Popen(
        [sys.executable, "-m", "pyinfra", "-vvv", "--debug", "--diff", "--yes",
         "--limit", "gpu01", str(inventory), "deploy.py"],
        cwd=site.folder, env=site.environment("opspw"), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    said, seen = "", ""
    for line in child.stdout or ():
        said += line
        if line.startswith("--> "):
            seen += on_host("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true")
            seen += command_lines()
    assert child.wait() == 0, said
    assert "API key" in said
    assert key not in said
    assert key not in seen
    ran = site.run("up --limit gpu01")
    assert (ran.code, ran.host()["changed"]) == (0, 0), ran.output
    assert key not in ran.output + str(ran.report)


def test_status_names_a_file_that_holds_another_key_than_the_server(
    site: Any, on_host: OnHost
) -> None:
    known = "holds another key than the one that the server asks for"
    on_host(f"cp -p {FILE} {FILE}.saved && echo changed-by-hand >{FILE}")
    changed = site.run("status --limit gpu01")
    on_host(f"mv -T {FILE}.saved {FILE}")
    assert known in changed.output
    assert known not in site.run("status --limit gpu01").output


def test_after_a_rotation_only_the_new_key_is_let_in(
    site: Any, lab: Lab, neighbour: str, on_host: OnHost
) -> None:
    old = show(site)
    main_pid = "systemctl show llama-server -p MainPID --value"
    before = on_host(main_pid)
    ran = site.run("key rotate", "opspw")
    assert ran.code == 0, ran.output
    assert "all 2 hosts have the new key; `llamarig key show` prints it" in ran.output
    new = show(site)
    assert new != old
    assert new not in ran.output + str(ran.report)
    assert on_host(main_pid) != before
    assert asked(lab, neighbour, PATHS[0], old) == "401"
    assert asked(lab, neighbour, PATHS[0], new) == "200"
    again = site.run("up --limit gpu01")
    assert (again.code, again.host()["changed"]) == (0, 0), again.output


def test_a_power_cut_in_a_rotation_is_mended_by_another(
    site: Any, lab: Lab, neighbour: str, on_host: OnHost
) -> None:
    old = on_host(f"cat {FILE}")
    child = site.start("key rotate")
    while child.poll() is None and on_host(f"cat {FILE}") == old:
        pass
    lab.kill("gpu01")
    child.communicate(timeout=120)
    lab.restart("gpu01")
    ran = site.run("key rotate")
    assert ran.code == 0, ran.output
    new = show(site)
    assert new != old
    assert asked(lab, neighbour, PATHS[0], new) == "200"
    assert asked(lab, neighbour, PATHS[0], old) == "401"
