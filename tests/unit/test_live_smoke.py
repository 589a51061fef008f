"""`llamarig smoke` before and after its run: the gate that is asked for, and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from annotated_types import Gt, Le
from click.testing import CliRunner

from llamarig.cli import smoke as command
from llamarig.errors import UserError
from llamarig.settings import Settings
from llamarig.tasks import live_job, smoke

RECORD: dict[str, Any] = {
    "verdict": "pass", "reason": "speedup 1.98 [1.95, 2.01] reaches 1.70", "speedup": 1.98,
    "finished": 1764300000.0, "baseline": {"generation": 4, "finished": 1764300000.0 - 3 * 86400},
}  # fmt: skip


@pytest.mark.parametrize("value", ["1", "0", "-2", "10.5", "nan", "inf", "fast", "", "1,5"])
def test_a_gate_that_is_none_is_one_line(value: str) -> None:
    with pytest.raises(UserError) as error:
        command.gate(None, None, value)  # type: ignore[arg-type]
    expected = f"--min-speedup {value}: a number above 1 and at most 10 expected"
    assert str(error.value) == expected
    with pytest.raises(ValueError, match=r"^min_speedup: found .*, allowed: a number above 1"):
        smoke.gated(Settings(), value)


@pytest.mark.parametrize("value", ["1.01", "1.7", "10"])
def test_a_gate_is_taken_and_changes_nothing_else(value: str) -> None:
    assert command.gate(None, None, value) == float(value)  # type: ignore[arg-type]
    settings = Settings.model_validate({"backend": "cpu", "port": 9000})
    changed = smoke.gated(settings, value)
    assert changed.min_speedup == float(value)
    assert changed.model_copy(update={"min_speedup": settings.min_speedup}) == settings


def test_command_and_setting_have_the_same_limits() -> None:
    limits = Settings.model_fields["min_speedup"].metadata
    assert limits == [Gt(gt=1), Le(le=10)]
    assert command.gate(None, None, None) is None  # type: ignore[arg-type]


def test_the_command_and_its_story_use_the_same_names() -> None:
    assert command.MIN_SPEEDUP == smoke.MIN_SPEEDUP
    for story, function in ((command.LIVE, smoke.run), (command.FULL, smoke.full)):
        assert story == f"{function.__module__}.{function.__name__}"


def test_help_says_what_the_exit_status_means() -> None:
    said = CliRunner().invoke(command.smoke, ["--help"]).output
    for part in ("0  every host", "1  some host misses it", "3  some host stays undecided"):
        assert part in said
    for option in ("--full", "--min-speedup", "--json", "--junit", "--limit"):
        assert option in said


def test_the_age_of_the_baseline_is_said() -> None:
    verdict, baseline = command.said({"smoke": RECORD})
    assert verdict == "pass: speedup 1.98 [1.95, 2.01] reaches 1.70"
    assert "against the baseline recorded 3 d ago with the proof of generation 4" in baseline
    assert "--full measures both anew" in baseline


def test_what_was_not_measured_is_compared_with_nothing() -> None:
    assert command.said({}) == []
    unclear = {**RECORD, "verdict": "undecided", "reason": "busy: x", "speedup": None}
    assert command.said({"smoke": unclear}) == ["undecided: busy: x"]
    # Measured by --full: there is no baseline from before.
    assert len(command.said({"smoke": {**RECORD, "baseline": None}})) == 1


def test_a_hosts_job_is_told_all_and_no_key() -> None:
    settings = Settings.model_validate({"backend": "cpu", "min_speedup": 1.5})
    job = live_job.spec(settings, 7)
    assert job.name.startswith("live-7-")
    other = live_job.spec(settings.model_copy(update={"min_speedup": 1.6}), 7)
    assert other.name != job.name  # whoever asks for another gate joins nobody
    (text,) = job.files.values()
    assert '"min_speedup": 1.5' in text
    assert '"key_file": "/etc/llamarig/api-key"' in text
    assert job.private == {}
    (stage,) = job.stages
    assert stage.argv[-2:] == ["live", f"/var/lib/llamarig/jobs/{job.name}/live.json"]
