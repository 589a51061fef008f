"""The fault matrix of a deploy: what is broken in the candidate never reaches the user."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import broken_release
import pytest
import serving

from llamarig.rehearsal.lab import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
OnHost = Callable[[str], str]
FROM_DEPLOYED = True
BEFORE = "the generation from before"
DROP_IN = "/etc/systemd/system/llamarig-candidate-mtp.service.d"


def serves_on(lab: Lab, on_host: OnHost, before: int) -> None:
    """Asked at the port, by the link, and after the next boot."""
    serving.unharmed(lab, on_host, before)
    assert on_host("basename $(readlink /opt/llamarig/current)") == str(before)
    assert on_host("ls /var/lib/llamarig/transaction.json 2>/dev/null || true") == ""


@pytest.mark.parametrize(
    ("program", "line"),
    [
        pytest.param(
            broken_release.CRASHES, "boom: the new binary gives up", id="crashes at start"
        ),
        pytest.param(broken_release.NEVER_HEALTHY, "did not load within 12 s", id="never healthy"),
        pytest.param(broken_release.GARBAGE, "answers garbage: '/' over and over", id="garbage"),
    ],
)
@pytest.mark.cell("the new binary: {case}", BEFORE)
def test_a_broken_binary(
    site: Any, lab: Lab, on_host: OnHost, before: int, program: str, line: str
) -> None:
    changes = broken_release.plant(lab, on_host, program)
    ran = site.run("up", **changes, load_timeout_seconds=12)
    assert ran.code == 1, ran.output
    assert line in "\n".join(ran.host()["problems"]), ran.output
    assert f"generation {before} serves on" in ran.output
    assert "Traceback" not in ran.output
    serves_on(lab, on_host, before)


@pytest.mark.cell("the proof is below the gate", BEFORE)
def test_a_proof_below_the_gate(site: Any, lab: Lab, on_host: OnHost, before: int) -> None:
    ran = site.run("up", spec_type="none")
    assert ran.code == 1, ran.output
    assert "is below 1.70" in ran.output
    assert f"generation {before} serves on" in ran.output
    serves_on(lab, on_host, before)


@pytest.mark.cell("systemd rejects the candidate's unit", BEFORE)
def test_a_unit_that_systemd_rejects(site: Any, lab: Lab, on_host: OnHost, before: int) -> None:
    on_host(f"mkdir -p {DROP_IN} && printf '[Service]\\nExecStart=\\nExecStart=no/path\\n' "
            f">{DROP_IN}/broken.conf && systemctl daemon-reload")  # fmt: skip
    try:
        ran = site.run("up", draft_n_max=5)
    finally:
        on_host(f"rm -r {DROP_IN} && systemctl daemon-reload")
    assert ran.code == 1, ran.output
    assert "did not start: " in "\n".join(ran.host()["problems"]), ran.output
    serves_on(lab, on_host, before)


@pytest.mark.cell("the disk is full while staging", BEFORE)
def test_a_full_disk_while_staging(site: Any, lab: Lab, on_host: OnHost, before: int) -> None:
    on_host(
        "mkdir -p /var/lib/llamarig/staging && "
        "mount -t tmpfs -o size=8k none /var/lib/llamarig/staging && "
        "{ dd if=/dev/zero of=/var/lib/llamarig/staging/full bs=1k 2>/dev/null; true; }"
    )
    try:
        ran = site.run("up", draft_n_max=6)
    finally:
        on_host("umount /var/lib/llamarig/staging")
    assert ran.code == 1, ran.output
    assert "Traceback" not in ran.output
    assert "No space left on device" in ran.output
    serves_on(lab, on_host, before)
    ran = site.run("up", draft_n_max=6)
    assert ran.code == 0, ran.output
    assert serving.generation(lab) != before


@pytest.mark.cell("the new generation does not answer at its own address", BEFORE)
def test_a_live_form_that_does_not_answer(
    site: Any, lab: Lab, on_host: OnHost, before: int
) -> None:
    """It passes its proof on loopback; its port is then taken from under it."""
    on_host("systemd-run -q --unit=squatter python3 -m http.server 8099 --bind 127.0.0.2")
    try:
        on_host("sleep 1; ss -Hltn 'sport = :8099' | grep -q 8099")
        child = site.start("up", port=8098)
        on_host(
            "until ls /run/systemd/system | grep -q candidate; do sleep 0.1; done; "
            "systemctl stop squatter; "
            "systemd-run -q --unit=thief python3 -m http.server 8098 --bind 0.0.0.0"
        )
        output, _ = child.communicate(timeout=600)
    finally:
        on_host("systemctl stop squatter thief 2>/dev/null; true")
    assert child.returncode == 1, output
    assert "the live server" in output, output
    serves_on(lab, on_host, before)


@pytest.mark.cell("two operators at once", "the first one's; the second is told who holds the lock")
def test_two_operators_at_once(
    site: Any, lab: Lab, tmp_path: Any, on_host: OnHost, before: int
) -> None:
    child = site.start("up", draft_n_max=2)
    try:
        assert any("prove generation" in line for line in child.stdout)
        other = type(site)(tmp_path / "other", lab).run("up", "opspw", draft_n_max=1)
        assert other.code == 1, other.output
        (line,) = other.host()["problems"]
        assert re.search(r"lock: held by \S+@\S+ \(pid \d+\) since \d{4}-\d\d-\d\d", line), line
        assert "it ends by itself 60 s after its owner is gone" in line
    finally:
        output, _ = child.communicate(timeout=600)
    assert child.returncode == 0, output
    assert serving.generation(lab) != before
    assert "--spec-draft-n-max 2" in on_host("tr '\\0' ' ' </proc/$(pgrep -x llama-server)/cmdline")
