"""doctor on the controller: sections of raw lines, saved hosts judged again, what is printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError

from llamarig.settings import Settings
from llamarig.tasks.facts.workstation import (
    AS_OPERATOR,
    AS_ROOT,
    MARK,
    OperatorSections,
    RootSections,
    arguments,
    read,
)

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "made-host-debian12.json"


def doctor(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llamarig.cli", "doctor", *words],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_sections_are_told_apart_and_one_that_is_missing_is_named() -> None:
    lines = [line for name in AS_ROOT for line in (MARK + name, f"of {name}")]
    assert RootSections().process(lines)["driver"] == ["of driver"]
    with pytest.raises(FactProcessError, match="tools"):
        OperatorSections().process(["a banner"])


def test_every_fact_runs_in_a_shell_of_its_own(tmp_path: Path) -> None:
    """The real commands on this machine: one section each, in order, whatever is installed."""
    asked = arguments(Settings())
    for sections, facts in ((RootSections(), AS_ROOT), (OperatorSections(), AS_OPERATOR)):
        done = subprocess.run(
            ["sh", "-c", str(sections.command(arguments=asked))],
            capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path,
        )  # fmt: skip
        assert list(sections.process(done.stdout.splitlines())) == list(facts)


def test_a_recorded_host_is_read_and_judged_again() -> None:
    saved = json.loads(RECORDED.read_text())["hosts"]["gpu01"]
    seen = read(saved["evidence"])
    assert seen.machine is not None
    assert (seen.machine.distribution, seen.machine.version) == ("debian", "12")
    assert seen.cards == []
    assert seen.disk is not None
    done = doctor("--replay", str(RECORDED))
    assert done.returncode == 0, done.stderr
    assert "gpu01  ok       distribution: Debian 12" in done.stdout
    assert "blocker(s)" in done.stdout.splitlines()[-1]


def test_the_same_host_is_judged_for_a_card_that_it_does_not_have(tmp_path: Path) -> None:
    saved = json.loads(RECORDED.read_text())
    saved["hosts"]["gpu01"]["settings"]["backend"] = "cuda"
    changed = tmp_path / "host.json"
    changed.write_text(json.dumps(saved))
    report = tmp_path / "report.json"
    done = doctor("--replay", str(changed), "--json", str(report))
    assert done.returncode == 1
    assert "card: no NVIDIA card on the PCI bus" in done.stdout
    assert "never run by us: a proof on a real card, NVIDIA's repository\n" in done.stdout
    found = json.loads(report.read_text())["hosts"]["gpu01"]["findings"]
    assert "blocker" in {each["level"] for each in found}


@pytest.mark.parametrize("content", ["", "[]", "{}", "\x00", "[" * 100_000])
def test_what_save_did_not_write_is_one_line(tmp_path: Path, content: str) -> None:
    place = tmp_path / "host.json"
    place.write_text(content)
    done = doctor("--replay", str(place))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "not a file that `doctor --save` wrote" in done.stderr


def replayed(tmp_path: Path, **hosts: object) -> subprocess.CompletedProcess[str]:
    place = tmp_path / "host.json"
    place.write_text(json.dumps({"hosts": hosts}))
    return doctor("--replay", str(place))


def test_a_saved_host_that_is_wrong_is_named_and_the_others_are_judged(tmp_path: Path) -> None:
    good = json.loads(RECORDED.read_text())["hosts"]["gpu01"]
    done = replayed(
        tmp_path,
        gpu01=good,
        gpu02=1,
        gpu03={**good, "evidence": {**good["evidence"], "disk": [1]}},
        gpu04={**good, "settings": {"port": 1}},
        gpu05={"problems": ["could not connect"]},
    )
    assert done.returncode == 1
    assert "gpu01: 0 blocker(s)" in done.stdout
    assert "gpu02: entry: " in done.stdout
    assert "gpu03: evidence.disk.0: " in done.stdout
    assert "gpu04: port: found 1" in done.stdout
    assert "gpu05: could not connect" in done.stdout
    assert "Traceback" not in done.stderr


def test_no_host_is_no_good_news(tmp_path: Path) -> None:
    done = replayed(tmp_path)
    assert (done.returncode, "holds no host" in done.stderr) == (1, True)


def test_a_fact_that_was_not_read_is_a_blocker(tmp_path: Path) -> None:
    saved = json.loads(RECORDED.read_text())["hosts"]["gpu01"]
    del saved["evidence"]["listeners"]
    done = replayed(tmp_path, gpu01=saved)
    assert done.returncode == 1
    assert "blocker  host: nothing was read about listeners" in done.stdout


def test_what_a_host_printed_does_not_steer_the_terminal(tmp_path: Path) -> None:
    saved = json.loads(RECORDED.read_text())["hosts"]["gpu01"]
    machine = saved["evidence"]["machine"]
    saved["evidence"]["machine"] = [machine[0], "\x1b[31m12\x07", *machine[2:]]
    saved["evidence"]["driver"] = ["loaded=" + "9" * 5000]
    done = replayed(tmp_path, **{"a\nb": saved})
    assert "\x1b" not in done.stdout
    assert "Traceback" not in done.stderr
    assert "a\N{REPLACEMENT CHARACTER}b: " in done.stdout


def test_replay_takes_nothing_that_asks_a_host() -> None:
    done = doctor("inventory.py", "--replay", str(RECORDED))
    assert done.returncode == 2
    assert "--replay takes no INVENTORY" in done.stderr
