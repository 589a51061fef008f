"""One API key for all hosts of a site: made, handed on, compared, shown, replaced. No server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made import made_lab
from processes import command_lines

from llamarig.api_key import FORM
from llamarig.rehearsal import hosts
from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,  # make test deploys with a key as it is
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
FILE = "/etc/llamarig/api-key"
BOUND_SECONDS = 90
STORY = """
from pyinfra.context import host

from llamarig.tasks import api_key, site
from llamarig.tasks.arrival import arrive
from llamarig.tasks.operations import host_lock
from llamarig.tasks.step import step


@step("Preflight")
def begin():
    settings = arrive()
    host_lock.take(name="Take the host's lock", lease=settings.lock_lease_seconds)


@step("Key")
def keys():
    api_key.agree(name="Agree on the site's API key", settings=site.settings())
    api_key.have(name="Have the site's API key", settings=site.settings())


begin()
keys()
"""
OnHost = Callable[[str, str], str]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with made_lab("keys", 2, services=True) as made:
        yield made


@pytest.fixture(scope="module")
def on(lab: Lab) -> OnHost:
    def run(host: str, command: str) -> str:
        done = lab.ssh(host, command, sudo=True)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    return run


@pytest.fixture(autouse=True)
def story(site: Any) -> None:
    (site.folder / "deploy.py").write_text(STORY)


def good(ran: Any, *hosts: str) -> list[int]:
    """How much each host changed; none of them failed, and no other was part of the run."""
    assert sorted(ran.report["hosts"]) == list(hosts), ran.output
    for host in hosts:
        assert ran.host(host)["problems"] == [], ran.output
        assert ran.host(host)["failed"] == 0, ran.output
    return [ran.host(host)["changed"] for host in hosts]


def key_show(site: Any, operator: str = "ops") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "key", "show", str(site.inventory())],
        env=site.environment(operator), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=BOUND_SECONDS, check=False,
    )  # fmt: skip


def test_before_there_is_a_key_show_says_what_makes_one(site: Any) -> None:
    done = key_show(site)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no host of this site has a key; `llamarig up` makes one" in done.stderr


def test_the_first_run_makes_one_key_and_the_second_changes_nothing(site: Any, on: OnHost) -> None:
    assert good(site.run("up"), "gpu01", "gpu02") == [1, 1]
    key = on("gpu01", f"cat {FILE}")
    assert FORM.fullmatch(key)
    assert on("gpu02", f"cat {FILE}") == key
    assert on("gpu02", f"stat -c '%U:%G %a' {FILE} /etc/llamarig").splitlines() == [
        "root:root 600", "root:root 755",
    ]  # fmt: skip
    again = site.run("up", "opspw")
    assert good(again, "gpu01", "gpu02") == [0, 0]
    on("gpu01", f"chmod 644 {FILE}; chown ops {FILE}")
    assert good(site.run("up"), "gpu01", "gpu02") == [1, 0]
    assert on("gpu01", f"stat -c '%U:%G %a' {FILE}; cat {FILE}") == f"root:root 600\n{key}"


@pytest.mark.parametrize("operator", ["ops", "opspw"])
def test_show_prints_the_key_alone(site: Any, on: OnHost, operator: str) -> None:
    done = key_show(site, operator)
    key = on("gpu01", f"cat {FILE}")
    assert (done.returncode, done.stdout) == (0, f"{key}\n")
    assert key not in done.stderr
    ran = site.run("key show")
    assert key not in str(ran.report)


def test_a_host_that_joins_gets_the_key_of_those_out_of_the_run(
    site: Any, lab: Lab, on: OnHost
) -> None:
    lab.up(3, services=True)
    ran = site.run("up --limit gpu03", "opspw")
    assert good(ran, "gpu03") == [1]
    assert "could not be asked" not in ran.output
    assert on("gpu03", f"cat {FILE}") == on("gpu01", f"cat {FILE}")


def test_a_host_out_of_reach_is_named_and_holds_nobody_up(site: Any, lab: Lab, on: OnHost) -> None:
    key = on("gpu01", f"cat {FILE}")
    on("gpu02", f"rm {FILE}")
    lab.unplug("gpu03")
    begun = time.monotonic()
    try:
        ran = site.run("up --limit gpu02")
    finally:
        lab.plug("gpu03")
    assert good(ran, "gpu02") == [1]
    assert time.monotonic() - begun < BOUND_SECONDS
    assert (
        "warning: gpu03 could not be asked for the site's API key; if it has another one, "
        "`llamarig status` will name it" in ran.output
    )
    assert on("gpu02", f"cat {FILE}") == key


def test_another_key_is_named_on_every_host_and_never_overwritten(site: Any, on: OnHost) -> None:
    before = on("gpu01", f"cat {FILE}")
    on("gpu03", f"echo another-key-by-hand >{FILE}")
    line = (
        "api_key: gpu01, gpu02 have one key, gpu03 another; "
        "llamarig key rotate INVENTORY gives all of them a new one"
    )
    for verb, asked in (("up", ("gpu01", "gpu02", "gpu03")), ("up --limit gpu01", ("gpu01",))):
        ran = site.run(verb)
        assert [ran.host(host)["problems"] for host in asked] == [[line]] * len(asked), ran.output
    done = key_show(site)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"llamarig: {line}\n" in done.stderr
    assert before not in done.stderr
    assert on("gpu01", f"cat {FILE}") == before
    assert on("gpu03", f"cat {FILE}") == "another-key-by-hand"
    assert good(site.run("up --limit gpu01", api_key="none"), "gpu01") == [0]


def test_rotate_without_all_hosts_changes_nothing(site: Any, lab: Lab, on: OnHost) -> None:
    before = on("gpu01", f"cat {FILE}")
    lab.unplug("gpu03")
    try:
        ran = site.run("key rotate")
    finally:
        lab.plug("gpu03")
    assert ran.code == 1
    assert (
        "gpu03 can't take part and would keep the old key, so no host gets a new one"
        in ran.host("gpu01")["problems"][0]
    )
    assert "Traceback" not in ran.output
    assert on("gpu01", f"cat {FILE}; ls /etc/llamarig") == f"{before}\napi-key"


def test_rotate_gives_all_hosts_one_new_key(site: Any, on: OnHost) -> None:
    """gpu03 has another key since the test before, gpu02 what a rotation leaves that was killed."""
    before = on("gpu01", f"cat {FILE}")
    on("gpu02", f"cp -p {FILE} {FILE}.new; echo half >/etc/llamarig/.api-key.partial")
    ran = site.run("key rotate", "opspw")
    assert ran.code == 0, ran.output
    assert "all 3 hosts have the new key; `llamarig key show` prints it" in ran.output
    (key,) = {on(host, f"cat {FILE}; ls -A /etc/llamarig") for host in ("gpu01", "gpu02", "gpu03")}
    assert before not in key
    assert key.split()[1:] == ["api-key"]
    assert key.split()[0] not in ran.output + str(ran.report)
    assert key_show(site).stdout == key.split()[0] + "\n"


@pytest.mark.fault
@pytest.mark.parametrize("moment", ["api-key.new on gpu03", "a new key on gpu01"])
def test_a_rotation_that_was_killed_is_finished_by_another(
    site: Any, lab: Lab, on: OnHost, moment: str
) -> None:
    before = on("gpu01", f"cat {FILE}")
    # Read from outside: a login takes longer than the moment lasts.
    first, last = (hosts.folder(lab.id, name) / f"root{FILE}" for name in ("gpu01", "gpu03"))
    seen = {
        "api-key.new on gpu03": last.with_name(f"{last.name}.new").exists,
        "a new key on gpu01": lambda: first.read_text().strip() != before,
    }[moment]
    child = site.start("key rotate")
    try:
        while not seen():
            assert child.poll() is None, f"{moment}: not seen"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, 9)
        child.communicate()
    ran = site.run("key rotate")
    assert ran.code == 0, ran.output
    (key,) = {on(host, f"cat {FILE}; ls -A /etc/llamarig") for host in ("gpu01", "gpu02", "gpu03")}
    assert before not in key
    assert key.split()[1:] == ["api-key"]


def test_nobody_reads_the_key_while_it_is_made_and_handed_on(
    site: Any, lab: Lab, on: OnHost
) -> None:
    """On the hosts and here, while sudo asks for a password and pyinfra says all it can."""
    for host in ("gpu01", "gpu02", "gpu03"):
        on(host, f"rm {FILE}")
    inventory = site.inventory()
    seen, said = "", ""
    watch = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true"
    for limit in (["--limit", "gpu01"], []):
        child = subprocess.Popen(
            [sys.executable, "-m", "pyinfra", "-vvv", "--debug", "--diff", "--yes", *limit,
             str(inventory), "deploy.py"],
            cwd=site.folder, env=site.environment("opspw"), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        output = Path(site.folder / "said")
        with output.open("w") as file:
            for line in child.stdout or ():
                file.write(line)
                if "Running command" in line:
                    seen += on("gpu01", watch) + on("gpu02", watch) + command_lines()
        assert child.wait() == 0
        said += output.read_text()
    key = on("gpu01", f"cat {FILE}")
    assert on("gpu03", f"cat {FILE}") == key
    assert "held-by-askpass" in seen  # we did look while sudo was used
    assert "Have the site's API key" in said
    for text in (seen, said):
        assert key not in text
    for host in ("gpu01", "gpu02", "gpu03"):
        assert key not in on(host, "journalctl --no-pager; cat /var/log/* 2>/dev/null; true")
        found = on(host, f"grep -rlsF -f {FILE} /etc /opt /var /run /tmp /root /home; true")
        assert found == FILE
