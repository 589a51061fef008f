"""A run's JUnit XML: well-formed whatever hosts are called and say."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamarig import report
from llamarig.cli import junit
from llamarig.errors import UserError

RECORD: dict[str, Any] = {
    "verdict": "pass", "reason": "speedup 1.98 [1.95, 2.01] reaches 1.70", "speedup": 1.98,
    "interval": [1.95, 2.01], "baseline_tps": 44.2, "mtp_tps": 87.4, "rounds": 6,
    "min_speedup": 1.7, "started": 100.0, "finished": 161.5, "acceptance": None,
}  # fmt: skip


def entry(verdict: str = "pass", **more: Any) -> dict[str, Any]:
    return {**report.empty(), "smoke": {**RECORD, "verdict": verdict}, "generation": 3, **more}


def parsed(hosts: dict[str, Any]) -> ElementTree.Element:
    root = ElementTree.fromstring(junit.document(hosts))
    assert root.tag == "testsuites"
    (suite,) = root
    return suite


def test_a_suite_a_run_and_a_case_a_host() -> None:
    missed = entry("fail", failed=1, problems=["speedup 1.4 is below", "it serves on"])
    unclear = entry("undecided", failed=1, problems=["busy: x"], undecided=True)
    lost = {**report.empty(), "problems": ["could not connect"]}
    suite = parsed({"b": missed, "a": entry(), "c": unclear, "d": lost})
    assert [each.get("name") for each in suite] == ["a", "b", "c", "d"]
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "2", "skipped": "0"}
    passed, failure, undecided, error = suite
    assert [each.tag for each in passed] == ["properties"]
    assert passed.get("time") == "61.500"
    properties = {each.get("name"): each.get("value") for each in passed.iter("property")}
    assert properties == {
        "speedup": "1.98", "interval_low": "1.95", "interval_high": "2.01", "generation": "3",
        "baseline_tps": "44.2", "mtp_tps": "87.4", "rounds": "6", "min_speedup": "1.7",
    }  # fmt: skip
    for case, tag, kind, first in (
        (failure, "failure", "gate", RECORD["reason"]),
        (undecided, "error", "undecided", RECORD["reason"]),
        (error, "error", "not measured", "could not connect"),
    ):
        found = case.find(tag)
        assert found is not None
        assert (found.get("type"), found.get("message")) == (kind, first)
    assert "it serves on" in str(failure.findtext("failure"))


def test_a_pass_on_which_something_failed_is_no_pass() -> None:
    (case,) = parsed({"a": entry(failed=1, problems=["the server does not answer"])})
    found = case.find("error")
    assert found is not None
    assert found.get("message") == "the server does not answer"


def test_a_host_of_which_nothing_is_known_is_an_error() -> None:
    (case,) = parsed({"a": report.empty()})
    assert case.find("error") is not None


ODD = st.text(st.characters(), max_size=40)


@given(name=ODD, reason=ODD, release=ODD)
def test_hostile_names_keep_it_well_formed(name: str, reason: str, release: str) -> None:
    hosts = {
        name: entry("fail", problems=[reason], release=release),
        "]]>&<!--": entry("undecided", undecided=True, problems=["\x00\ud800\ufffe<x a='\"'>"]),
    }
    suite = parsed(hosts)
    assert suite.get("tests") == str(len(hosts))


def test_a_file_that_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    junit.write(tmp_path / "x.xml", {"a": entry()})
    assert (tmp_path / "x.xml").read_bytes().startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    with pytest.raises(UserError, match=r"--junit .*: Is a directory; the run itself is over"):
        junit.write(tmp_path, {})
