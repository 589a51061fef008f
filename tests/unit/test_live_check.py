"""The check by the timer, on the host: when it leaves a server alone, and what it tells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from fake_llama_server import Fake, running
from test_live import CONFIG, generation
from test_metrics import SKIPPED, UNDECIDED, values

from llamarig.onhost import check, live, load, measurements
from llamarig.onhost.exchange import Server
from llamarig.onhost.files import write_json
from llamarig.onhost.live_server import Live


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this machine does is no part of a test."""
    monkeypatch.setattr(load, "LIMIT", 2.0)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {
        **CONFIG, "kind": "check", "root": str(tmp_path), "watch_s": 0,
        "transaction": str(tmp_path / "transaction.json"),
        "measurements": str(tmp_path / "state" / "measurements.jsonl"),
        "metrics_file": str(tmp_path / "llamarig.prom"),
    }  # fmt: skip


def ran(config: dict[str, Any], tmp_path: Path) -> int:
    path = tmp_path / "check.json"
    write_json(str(path), config)
    return check.main(str(path))


def test_a_server_that_does_not_answer_fails_and_is_told(
    config: dict[str, Any], tmp_path: Path
) -> None:
    generation(tmp_path)
    assert ran(config, tmp_path) == check.FAILED
    found = values(tmp_path / "llamarig.prom")
    assert found["llamarig_check_success"] == 0
    assert "llamarig_speedup_ratio" not in found
    (line,) = measurements.read(config["measurements"])
    assert (line["kind"], line["verdict"]) == ("check", "fail")


def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    """The live unit answers, for once: here is no systemd to ask about it."""
    monkeypatch.setattr(live, "_reach", lambda config, found: Live(Server({}, os.getpid(), 10)))


def test_undecided_is_counted_and_no_failure(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch)
    generation(tmp_path, None)
    assert ran(config, tmp_path) == 0
    assert values(tmp_path / "llamarig.prom") == {SKIPPED: 0, UNDECIDED: 1}
    assert measurements.read(config["measurements"])[0]["verdict"] == "undecided"


@pytest.mark.parametrize("cause", ["switch", "loading"])
def test_a_host_that_is_not_at_rest_is_left_alone(
    config: dict[str, Any], tmp_path: Path, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(Fake(health=503)) as fake:
        found = generation(tmp_path)
        manifest = {**found.manifest, "address": fake.address}
        write_json(os.path.join(found.folder, "manifest.json"), manifest)
        if cause == "switch":
            write_json(config["transaction"], {})
        assert ran(config, tmp_path) == 0
    words = {"switch": "a switch is under way", "loading": "the server loads its model"}[cause]
    assert capsys.readouterr().out == f"skipped: {words}\n"
    assert values(tmp_path / "llamarig.prom")[SKIPPED] == 1
    assert not os.path.exists(config["measurements"])
    assert fake.asked == []


def test_a_server_that_is_dead_fails_whatever_it_would_be_compared_with(
    config: dict[str, Any], tmp_path: Path
) -> None:
    generation(tmp_path, None)
    assert ran(config, tmp_path) == check.FAILED
    assert values(tmp_path / "llamarig.prom")["llamarig_check_success"] == 0


def test_a_metrics_folder_that_is_gone_costs_no_check(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    answering(monkeypatch)
    generation(tmp_path, None)
    assert ran({**config, "metrics_file": str(tmp_path / "none" / "x.prom")}, tmp_path) == 0
    assert "metrics_folder: " in capsys.readouterr().out
    assert ran({**config, "metrics_file": None}, tmp_path) == 0
    assert len(measurements.read(config["measurements"])) == 2


def watched(fake: Fake) -> str | None:
    return check._watched(Live(Server(fake.address, os.getpid(), 10)), 0)


class Later(Fake):
    """A user comes right after the first look. (Not from a sleep made for the test: every thread of
    the tests' process would call it.)"""

    def list_slots(self) -> list[dict[str, Any]]:
        shown = super().list_slots()
        self.tasks[1] = 77
        return shown


def test_users_now_or_a_moment_later_are_seen() -> None:
    with running(Fake(slots=2)) as idle:
        assert watched(idle) is None
    with running(Fake(busy=1)) as busy:
        assert watched(busy) == "users are served"
    with running(Later(slots=2)) as later:
        assert watched(later) == "users are served"


def test_other_programs_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Fake()) as fake:
        monkeypatch.setattr(load, "LIMIT", -1.0)
        assert "of the processors" in str(watched(fake))
