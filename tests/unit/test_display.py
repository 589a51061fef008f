"""Progress is plain lines where there is no terminal: few, and never none."""

from __future__ import annotations

import pytest

from llamarig import display


def test_lines_come_at_every_tenth_and_every_stage(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(1, 225):
        display.progress("gpu01", "a build", "compile", done, 224, "steps")
    display.progress("gpu01", "a build", "install", None, None, "steps")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[gpu01] a build: compile 1/224 steps (0 %)"
    assert lines[-2] == "[gpu01] a build: compile 224/224 steps (100 %)"
    assert lines[-1] == "[gpu01] a build: install"
    assert len(lines) == 12


def test_bytes_are_shown_in_gib() -> None:
    assert display.amount(2**29, 2**30, "bytes") == "0.50/1.00 GiB"


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = display.Rate()
    for second in range(60):  # 10 MiB/s at first, then 100
        grown = 10 * second if second < 30 else 300 + 100 * (second - 30)
        rate.add(float(second), grown * display.MIB)
    assert rate.per_second() == 100 * display.MIB
    missing = 18_000 * display.MIB
    assert rate.text(3200 * display.MIB + missing) == " 100.0 MiB/s, 3 min 00 s left"


def test_a_rate_is_nothing_while_unknown() -> None:
    rate = display.Rate()
    assert (rate.per_second(), rate.text(10)) == (None, "")
    rate.add(5.0, 7 * display.GIB)  # what was there already is no speed
    assert rate.text(16 * display.GIB) == ""
    rate.add(6.0, 7 * display.GIB + 1)
    assert rate.text(16 * display.GIB) == ""


def test_a_stalled_transfer_has_no_time_left_and_a_new_start_no_rate() -> None:
    rate = display.Rate()
    rate.add(0.0, 50)
    rate.add(30.0, 50)
    assert rate.text(100) == " 0.0 MiB/s"
    rate.add(31.0, 2)
    assert rate.text(100) == ""


def test_all_bytes_there_leaves_no_time() -> None:
    rate = display.Rate()
    rate.add(0.0, 0)
    rate.add(10.0, 10 * display.MIB)
    assert rate.text(10 * display.MIB) == " 1.0 MiB/s"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (170, "2 min 50 s"), (3900, "1 h 05 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert display.duration(seconds) == words


def test_each_stage_of_a_host_has_its_own_speed() -> None:
    total = 10 * display.GIB
    assert display._speed("gpu09", "copy", display.GIB, total, 0.0) == ""
    said = display._speed("gpu09", "copy", 3 * display.GIB, total, 40.0)
    assert said == " 51.2 MiB/s, 2 min 20 s left"
    assert display._speed("gpu09", "verify", display.GIB, total, 50.0) == ""
    display.over("gpu09")
    assert display._speed("gpu09", "verify", 2 * display.GIB, total, 90.0) == ""
    display.over("gpu09")
