"""What `status` says of hosts: one row each, and a line for each thing that is wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llamarig.cli import status, status_lines

GOOD: dict[str, Any] = {
    "problems": [], "failed": 0, "service": "active", "generation": 3, "current": 3,
    "release": "b11434-cpu-1a2b3c4d5e", "model": {"file": "tiny-Q4_0.gguf"}, "restarts": 0,
    "seconds": 7300, "smoke": {"verdict": "pass", "speedup": 2.041}, "drift": [], "keyed": True,
    "proof_age_seconds": 3 * 86400, "api_key": "a" * 12,
    "address": {"bind": "0.0.0.0", "port": 8080, "scheme": "http"}, "check_late": None,
    "check": {"verdict": "pass", "reason": "", "speedup": 1.98, "age_seconds": 3 * 3600},
}  # fmt: skip


def test_a_row_holds_what_serves() -> None:
    assert status.row("gpu01", GOOD) == [
        "gpu01", "3", "b11434-cpu-1a2b3c4d5e", "tiny-Q4_0.gguf", "2 h", "0", "2.04x, 3 d",
        "1.98x, 3 h ago", "none",
    ]  # fmt: skip
    assert status_lines.wrong({"gpu01": GOOD}) == []


def test_a_host_that_was_not_reached_has_dashes_and_a_line() -> None:
    entry = {"problems": ["could not connect"], "failed": 0}
    assert status.row("gpu01", entry)[1:] == ["-"] * 8
    assert status_lines.wrong({"gpu01": entry}) == ["gpu01: not known, see above"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"drift": ["-c 8192 -> 16384; x"]}, "drift: -c 8192 -> 16384; x"),
        ({"keyed": False}, "no API key: whoever reaches 0.0.0.0:8080 may use it"),
        (
            {"key_open": True},
            "others than root can read the API key's file; `llamarig up` closes it, `llamarig key "
            "rotate` makes a new one",
        ),
        (
            {"key_stale": True},
            "the API key's file holds another key than the one that the server asks for; "
            "`systemctl restart llama-server` there takes the file's, `llamarig key rotate` makes "
            "a new one",
        ),
        (
            {"keyed": False, "address": {"bind": "::", "port": 1}},
            "no API key: whoever reaches [::]:1 may use it",
        ),
        (
            {"service": "failed", "result": "oom-kill", "seconds": 60},
            "not serving: llama-server.service is failed, oom-kill for 1 min; `llamarig logs` says "
            "why, `llamarig up` starts it",
        ),
        (
            {"service": "inactive", "current": None, "address": None},
            "not serving: nothing was deployed yet, or proven; `llamarig up` does both",
        ),
        ({"smoke": None}, "what serves has no proof; `llamarig up` proves it"),
        (
            {"check": {**GOOD["check"], "verdict": "fail", "reason": "speedup 1.4 is below 1.70"}},
            "check: failed 3 h ago: speedup 1.4 is below 1.70; `llamarig smoke` measures it now, "
            "with --full both arms",
        ),
        (
            {"check_late": 4 * 86400},
            "check: none for 4 d, more than three periods; a host in use is left alone, "
            "`llamarig logs --job check` says what happened",
        ),
    ],
)
def test_what_is_wrong_is_one_line(change: dict[str, Any], line: str) -> None:
    assert status_lines.wrong({"gpu01": {**GOOD, **change}}) == [f"gpu01: {line}"]


@pytest.mark.parametrize(
    ("check", "cell"),
    [
        (None, "-"),
        (
            {"verdict": "undecided", "speedup": 1.71, "age_seconds": 60},
            "1.71x undecided, 1 min ago",
        ),
        ({"verdict": "fail", "speedup": None, "age_seconds": 5}, "fail, 5 s ago"),
    ],
)
def test_a_check_that_is_not_a_pass_is_named(check: Any, cell: str) -> None:
    entry = {**GOOD, "check": check and {**check, "reason": "x"}}
    assert status.row("gpu01", entry)[7] == cell


def test_an_open_server_that_only_the_host_reaches_is_fine() -> None:
    local = {"keyed": False, "address": {"bind": "127.0.0.1", "port": 8080}}
    assert status_lines.wrong({"gpu01": {**GOOD, **local}}) == []


def test_hosts_with_different_keys_are_named_the_larger_group_first() -> None:
    entries = {name: {**GOOD, "api_key": key} for name, key in zip("abc", "xyy", strict=True)}
    (line,) = status_lines.keys(entries)
    assert line.startswith("b, c have one API key, a another; `llamarig key rotate`")
    assert status_lines.keys({name: GOOD for name in "abc"}) == []
    # A host without a key does not count: its settings ask for none.
    assert status_lines.keys({"a": GOOD, "b": {**GOOD, "keyed": False, "api_key": None}}) == []
    assert "no longer there" in status_lines.keys({"a": {**GOOD, "api_key": None}})[0]


@pytest.mark.parametrize("drawn", [True, False])
def test_eighty_columns_hold_it_and_nothing_steers_the_terminal(
    drawn: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: drawn, raising=False)
    long = {"release": "b11434-sm89-1a2b3c4d5e-ui", "model": {"file": f"{'Qwopus-' * 6}Q4.gguf"}}
    evil = {"model": {"file": "x\x1b[2Jy"}, "restarts": 12, "service": "activating"}
    slow = {"verdict": "undecided", "reason": "", "speedup": 1.71, "age_seconds": 3599}
    failed = {"smoke": {"verdict": "fail", "speedup": 1.31, "kept": True}, "check": slow}
    hosts = {"a-host-with-a-long-name": {**GOOD, **long, **failed}, "gpu02": {**GOOD, **evil}}
    status.show(hosts)
    printed = capsys.readouterr().out
    assert "\x1b[2J" not in printed
    assert "x\N{REPLACEMENT CHARACTER}[2J" in printed
    if drawn:
        widths = [len(line) for line in re.sub("\x1b\\[[0-9;]*m", "", printed).splitlines()]
        assert max(widths) <= 80, printed
        assert "2.04x" in printed
        assert "3 d" in printed
        assert "1.98x" in printed
        assert "undecided" in printed
        assert "59 min" in printed
        assert "ago" not in printed
        assert "1.71x undecided" not in printed
    else:
        assert "\x1b" not in printed
        assert printed.splitlines()[0].split() == list(status.COLUMNS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "?"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")],
)
def test_ages(seconds: float | None, text: str) -> None:
    assert status_lines.ago(seconds) == text
