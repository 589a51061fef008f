"""What the check by a timer would do to a host, on @fake hosts with canned answers."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.command import FileUploadCommand
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy, deploy
from pyinfra.context import ctx_host, ctx_state

from llamarig.onhost.bundle import build as build_bundle
from llamarig.settings import Settings
from llamarig.tasks import check, check_files, check_news, display_callback, site
from llamarig.tasks.facts.check import FILE, METRICS, TIMER, TIMER_PATH, UNIT, UNIT_PATH, Check
from llamarig.tasks.facts.generation import Generation
from llamarig.tasks.operations import jobs

HOURLY: dict[str, Any] = {"check": "hourly", "metrics_folder": "/var/lib/node"}
LOOK = "sha256sum -- "
Planned = Callable[..., list[str]]


@deploy("Story")
def story() -> None:
    check.timed(name="Check", settings=site.settings())


@deploy("Story")
def removed() -> None:
    check.gone(name="Remove")


def there(changed: dict[str, str] | None = None, **values: Any) -> dict[str, list[str]]:
    """The answer of a host that has the check of these settings; changed: path to digest."""
    files = check_files.wanted(Settings.model_validate({**HOURLY, **values}))
    sums = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
    program = hashlib.sha256(build_bundle()[1]).hexdigest()
    sums = {**sums, jobs.program(): program, **(changed or {})}
    lines = [f"file {digest}  {path}" for path, digest in sums.items() if digest]
    return {LOOK: [*lines, "metrics /var/lib/node/llamarig.prom", "enabled", "active", "age 60"]}


@pytest.fixture
def planned() -> Planned:
    """The commands of the operation on a host that gives these answers."""

    def run(
        told: dict[str, list[str]], steps: Callable[[], Any] = story, **settings: object
    ) -> list[str]:
        site._settings.clear()
        data = {"fake_responses": told, "fake_delay": 0, "fake_delay_jitter": 0, **settings}
        inventory = Inventory(([("@fake/gpu01", data)], {}))
        state = State(inventory, Config())
        with ctx_state.use(state):
            connect_all(state)
            display_callback.register(state)  # as preflight does
            add_deploy(state, steps)
            host = inventory.get_host("@fake/gpu01")
            (op,) = state.get_op_order()
            with ctx_host.use(host):
                return [_text(each) for each in state.ops[host][op].command_generator()]

    return run


def _text(command: Any) -> str:
    if isinstance(command, FileUploadCommand):
        return f"upload {command.dest}"
    return str(command)


def test_a_host_gets_program_units_and_a_timer_that_runs(planned: Planned) -> None:
    found = planned({" sh /var/lib/node": ["/var/lib/node"]}, **HOURLY)
    uploads = [each.removeprefix("upload ") for each in found if each.startswith("upload ")]
    assert uploads == [METRICS, jobs.program(), FILE, UNIT_PATH, TIMER_PATH]
    noted = next(place for place, each in enumerate(found) if "/var/lib/llamarig/folders" in each)
    assert found[noted + 1] == "install -d -m 755 /var/lib/node"
    assert found[-3:] == [
        "systemctl daemon-reload", f"systemctl enable {TIMER}", f"systemctl restart {TIMER}",
    ]  # fmt: skip


def test_a_second_run_changes_nothing(planned: Planned) -> None:
    assert planned(there(), **HOURLY) == []
    assert planned({}) == []
    assert planned({}, removed) == []


@pytest.mark.parametrize(
    ("flaw", "wanted"),
    [
        ({UNIT_PATH: "x"}, [f"upload {UNIT_PATH}", "systemctl daemon-reload"]),
        ({FILE: ""}, [f"upload {FILE}"]),
        ({TIMER_PATH: "x"}, [f"upload {TIMER_PATH}", f"systemctl restart {TIMER}"]),
        ({jobs.program(): ""}, [f"upload {jobs.program()}"]),
        ({jobs.program(): "of half of it"}, [f"upload {jobs.program()}"]),
    ],
)
def test_what_is_not_as_it_should_be_is_mended_and_no_more(
    planned: Planned, flaw: dict[str, str], wanted: list[str]
) -> None:
    found = planned(there(flaw), **HOURLY)
    assert [each for each in found if each.startswith("upload")] == wanted[:1]
    for each in wanted:
        assert each in found
    assert (f"systemctl restart {TIMER}" in found) is (TIMER_PATH in flaw)


def test_another_program_or_other_settings_update_it(planned: Planned) -> None:
    assert planned(there(), **{**HOURLY, "check": "daily"})
    assert f"upload {FILE}" in planned(there(), **HOURLY, min_speedup=1.5)
    older = check_files.wanted(Settings.model_validate(HOURLY))[UNIT_PATH]
    assert jobs.program() in older
    digest = hashlib.sha256(older.replace("onhost-", "onhost-0").encode()).hexdigest()
    found = planned(there({UNIT_PATH: digest}), **HOURLY)
    assert f"upload {UNIT_PATH}" in found


def test_a_timer_that_somebody_stopped_runs_again(planned: Planned) -> None:
    lines = [each for each in there()[LOOK] if each not in ("enabled", "active")]
    found = planned({LOOK: lines}, **HOURLY)
    assert found == [f"systemctl enable {TIMER}", f"systemctl restart {TIMER}"]


def test_a_metrics_file_that_nobody_writes_any_more_goes(planned: Planned) -> None:
    moved = planned(there(), **{**HOURLY, "metrics_folder": "/var/lib/other"})
    assert moved[0] == f"rm -f /var/lib/node/llamarig.prom {METRICS}"
    assert f"upload {METRICS}" in moved
    none = planned(there(), check="hourly")
    assert none[0] == moved[0]
    assert f"upload {METRICS}" not in none


@pytest.mark.parametrize("steps", [story, removed])
def test_off_and_down_leave_nothing(planned: Planned, steps: Callable[[], Any]) -> None:
    found = planned(there(), steps)
    assert found[0].startswith(f"systemctl disable --now {TIMER}")
    assert f"systemctl stop {UNIT}" in found[0]
    assert found[1:] == [
        "rm -f /var/lib/node/llamarig.prom",
        f"rm -f {UNIT_PATH} {TIMER_PATH} {FILE} {METRICS}",
        "systemctl daemon-reload",
    ]


def looked(told: dict[str, list[str]], look: Callable[[Settings], Any], **values: Any) -> Any:
    """What a function that reads the current host says there."""
    data = {"fake_responses": told, "fake_delay": 0, "fake_delay_jitter": 0}
    inventory = Inventory(([("@fake/gpu01", data)], {}))
    state = State(inventory, Config())
    with ctx_state.use(state):
        connect_all(state)
        with ctx_host.use(inventory.get_host("@fake/gpu01")):
            return look(Settings.model_validate(values))


def test_drift_names_what_is_missing_and_nothing_else() -> None:
    assert looked(there(), check.drift, **HOURLY) == []
    assert looked({}, check.drift) == []
    (off,) = looked(there(), check.drift)
    assert off.startswith("check: its timer is there, though check is off")
    (missing,) = looked(there({UNIT_PATH: "", FILE: ""}), check.drift, **HOURLY)
    assert f"{UNIT_PATH}, {FILE} missing" in missing
    (other,) = looked(there({FILE: "x"}), check.drift, **HOURLY)
    assert "set up otherwise" in other
    stopped = {LOOK: [each for each in there()[LOOK] if each != "active"]}
    assert "does not run" in looked(stopped, check.drift, **HOURLY)[0]


def line(kind: str, age: int, generation: int = 3, verdict: str = "pass") -> str:
    return (
        f'{{"kind": "{kind}", "finished": {NOW - age}, "generation": {generation}, '
        f'"verdict": "{verdict}", "speedup": 1.98}}'
    )


NOW = 1764300000.0
DAY = 86400


def newest(log: list[str], seconds: int, **values: Any) -> dict[str, Any]:
    answers = {LOOK: [f"file x  {TIMER_PATH}", "enabled", "active", f"age {seconds}"],
               "measurements.jsonl": log}  # fmt: skip
    serving = Generation(3, "d", {}, None)
    found: dict[str, Any] = looked(
        answers, lambda settings: check_news.newest(settings, serving, NOW), **values
    )
    return found


def test_the_newest_check_of_what_serves_is_shown() -> None:
    log = [line("check", 500), line("live", 300, verdict="fail"), line("check", 90, generation=2),
           line("bench", 10)]  # fmt: skip
    found = newest(log, 10 * DAY, check="daily")
    assert found["check"] == {
        "verdict": "fail", "reason": "", "speedup": 1.98, "age_seconds": 300,
    }  # fmt: skip
    assert found["check_late"] is None
    assert newest([], 60, check="off") == {"check": None, "check_late": None}


@pytest.mark.parametrize(
    ("log", "seconds", "period", "late"),
    [
        ([line("check", 4 * DAY)], 30 * DAY, "daily", 4 * DAY),
        ([line("check", 4 * DAY)], DAY, "daily", None),  # the timer is new
        ([line("check", 4 * DAY)], 30 * DAY, "weekly", None),
        ([line("check", 4 * DAY)], 30 * DAY, "off", None),
        ([], 4 * DAY, "daily", 4 * DAY),
        ([line("check", 2 * DAY)], 30 * DAY, "daily", None),
        ([line("proof", 60)], 4 * DAY, "daily", 4 * DAY),
    ],
)
def test_a_check_is_overdue_after_three_periods(
    log: list[str], seconds: int, period: str, late: int | None
) -> None:
    assert newest(log, seconds, check=period)["check_late"] == late


def test_what_a_host_prints_is_read() -> None:
    lines = ["file abc  /a b", "metrics /x/llamarig.prom", "enabled", "age -5", "noise"]
    found = Check().process(lines)
    assert (found.files, found.metrics) == ({"/a b": "abc"}, "/x/llamarig.prom")
    assert (found.enabled, found.active, found.seconds) == (True, False, 0)
    assert not Check().process([]).there


def test_the_look_on_a_host(tmp_path: Path) -> None:
    """The real shell program, on a machine where llamarig may or may not be."""
    own = tmp_path / "program of ours"
    own.write_text("x")
    line = Check().command(more=(str(own), str(tmp_path / "none")))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    found = Check().process(done.stdout.splitlines())
    assert found.files[str(own)] == hashlib.sha256(b"x").hexdigest()
    assert str(tmp_path / "none") not in found.files
    assert done.stderr == ""
