"""Prompt suites: ours are as they should be, a user's mistakes are a line each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llamarig import suite, suite_form
from llamarig.errors import UserError
from llamarig.suite_file import MOST_BYTES

PROMPT = {"id": "one", "class": "math", "text": "What is 2 + 2?"}
WHOLE: dict[str, Any] = {"about": "Mine.", "warmup": "Hello.", "prompts": [PROMPT]}
NAME = "1 to 40 letters, digits, _ and -, the first no _ or -"
TEXT = "text without control characters, at most 16 KiB"
LIST = "a list of 1 to 50 prompts, each with id, class and text"


def lines(folder: Path, text: str | bytes) -> list[str]:
    """What is said of a file that holds this, without its path; nothing for a good one."""
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = suite.faults([str(path)])
    assert all(line.startswith(f"{path}: ") and line.isprintable() for line in found)
    return [line.removeprefix(f"{path}: ") for line in found]


def with_prompt(**changes: Any) -> str:
    prompt = {key: value for key, value in {**PROMPT, **changes}.items() if value is not ...}
    return yaml.safe_dump({**WHOLE, "prompts": [prompt]})


def test_the_walkthrough_has_its_three_and_bench_its_nine_classes() -> None:
    walkthrough, bench = suite.load("walkthrough"), suite.load("bench")
    assert [each["class"] for each in walkthrough.prompts] == ["code", "devops", "math"]
    assert [each["id"] for each in walkthrough.prompts] == ["fibonacci", "var-log", "marbles"]
    assert {each["class"] for each in bench.prompts} == {
        "code_python", "code_cpp", "explain_concept", "summarize", "qa_factual", "translation",
        "creative_short", "stepwise_math", "long_code_review",
    }  # fmt: skip
    assert (walkthrough.name, bench.name) == ("walkthrough", "bench")
    assert walkthrough.digest != bench.digest


def test_a_file_is_taken_as_it_is_written_and_everything_is_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "about: ein Satz, à propos\nwarmup: 5\nprompts:\n- {id: 007, class: no, text: 2026-11-26}\n"
        "- id: b\n  class: x\n  text: |\n   a\n\n   \tb \n"
    )
    found = suite.load(str(path))
    assert (found.name, found.about, found.warmup) == ("mine", "ein Satz, à propos", "5")
    assert found.prompts == [
        {"id": "007", "class": "no", "text": "2026-11-26"},
        {"id": "b", "class": "x", "text": "a\n\n\tb"},
    ]


def test_the_digest_is_of_what_is_asked_alone() -> None:
    known = suite.digest("Hello.", [PROMPT])
    assert known == "a72543225b1bb5fc"
    assert suite.digest("Hello.", [dict(reversed(PROMPT.items()))]) == known
    assert suite.digest("Hello!", [PROMPT]) != known
    assert suite.digest("Hello.", [PROMPT, PROMPT]) != known


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": "a b"}, f"id: found 'a b', allowed: {NAME}"),
        ({"id": "../etc"}, f"id: found '../etc', allowed: {NAME}"),
        ({"id": ""}, f"id: found '', allowed: {NAME}"),
        ({"id": "-a"}, f"id: found '-a', allowed: {NAME}"),
        ({"id": "é"}, f"id: found 'é', allowed: {NAME}"),
        ({"id": "x" * 41}, f"id: found '{'x' * 41}', allowed: {NAME}"),
        ({"id": ...}, f"id: found nothing, allowed: {NAME}"),
        ({"id": ["a"]}, f"id: found a list of 1, allowed: {NAME}"),
        ({"class": {"a": 1}}, f"class: found a value of type dict, allowed: {NAME}"),
        ({"class": "\x1b[2J"}, f"class: found '\\x1b[2J', allowed: {NAME}"),
        ({"text": ""}, f"text: found '', allowed: {TEXT}"),
        ({"text": " \n\t"}, f"text: found ' \\n\\t', allowed: {TEXT}"),
        ({"text": "a\x07"}, f"text: found 'a\\x07', allowed: {TEXT}"),
        ({"text": "a\rb"}, f"text: found 'a\\rb', allowed: {TEXT}"),
        ({"text": "x" * 16385}, f"text: found text of 16.0 KiB, allowed: {TEXT}"),
        ({"text": "é" * 8193}, f"text: found text of 16.0 KiB, allowed: {TEXT}"),
        ({"txt": "a"}, "txt: unknown key, nearest known: text"),
        ({"\x1b": "a"}, "\N{REPLACEMENT CHARACTER}: unknown key, not allowed"),
    ],
)
def test_a_fault_says_where_what_and_what_is_allowed(
    tmp_path: Path, changes: dict[str, Any], fault: str
) -> None:
    assert lines(tmp_path, with_prompt(**changes)) == [f"prompts.1.{fault}"]


@pytest.mark.parametrize(
    "text", ["x" * 16384, "é" * 8192, "a\nb\tc", "\u200dx\u00a0y", "\U0001f600"]
)
def test_text_that_is_allowed(tmp_path: Path, text: str) -> None:
    assert lines(tmp_path, with_prompt(text=text)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "found no mapping, allowed: about, warmup and prompts"),
        ("[a]", "found no mapping, allowed: about, warmup and prompts"),
        ("about: *a", "aliases of YAML (*name) are not allowed in a suite"),
        (r'about: "a\ud800"', "a\N{REPLACEMENT CHARACTER}: half of a character, allowed: text"),
        (r'"\ud800": a', "\N{REPLACEMENT CHARACTER}: half of a character, allowed: text"),
        ("a: &a [x]\nb: *a", "aliases of YAML (*name) are not allowed in a suite"),
        ("a: &a {x: y}\nb: {<<: [*a, *a]}", "aliases of YAML (*name) are not allowed in a suite"),
        ("about: [", "not readable as YAML"),
        ("? [a]\n: b", "not readable as YAML"),
        ("a: b\n--- \nc: d", "not readable as YAML"),
        ("\0", "not readable as YAML"),
        ("[" * 5000, "nested too deeply, a suite is not"),
        ("[" + "a," * 3000 + "]", "more than 2000 values, a suite has fewer"),
        ("about: a\nabout: b", "about: given twice in the mapping of line 1"),
        (b"\xff\xfe\x00binary", "no text in UTF-8, allowed: YAML"),
        (b"x" * (MOST_BYTES + 1), "larger than 1 MiB, a suite is smaller"),
    ],
)  # fmt: skip
def test_what_is_no_suite_is_one_line(tmp_path: Path, text: str | bytes, fault: str) -> None:
    (line,) = lines(tmp_path, text)
    assert line.startswith(fault)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"about": "a\nb"}, "about: found 'a\\nb', allowed: one line of printable text"),
        ({"warmup": ...}, f"warmup: found nothing, allowed: {TEXT}"),
        ({"prompts": ...}, f"prompts: found nothing, allowed: {LIST}"),
        ({"prompts": []}, f"prompts: found a list of 0, allowed: {LIST}"),
        ({"prompts": "x"}, f"prompts: found 'x', allowed: {LIST}"),
        ({"prompts": ["x"]}, "prompts.1: found no mapping, allowed: id, class and text"),
        ({"prompt": []}, "prompt: unknown key, nearest known: prompts"),
        (
            {"prompts": [{**PROMPT, "id": f"p{each}"} for each in range(51)]},
            f"prompts: found a list of 51, allowed: {LIST}",
        ),
        (
            {"prompts": [PROMPT, {**PROMPT, "id": "ONE"}, {**PROMPT, "id": "two"}]},
            "prompts: id one: found twice, allowed: once",
        ),
    ],
)
def test_a_fault_outside_of_the_prompts(
    tmp_path: Path, changes: dict[str, Any], fault: str
) -> None:
    whole = {key: value for key, value in {**WHOLE, **changes}.items() if value is not ...}
    assert lines(tmp_path, yaml.safe_dump(whole)) == [fault]


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    bad = {"about": "", "prompts": [{"id": "a"}, {"id": "a", "class": "", "text": "x"}], "more": 1}
    found = lines(tmp_path, yaml.safe_dump(bad))
    assert [line.split(":")[0] for line in found] == [
        "about", "warmup", "prompts.1.class", "prompts.1.text", "prompts.2.class", "more",
        "prompts",
    ]  # fmt: skip


def test_files_that_are_none(tmp_path: Path) -> None:
    fifo, folder = tmp_path / "fifo", tmp_path / "folder"
    os.mkfifo(fifo)
    folder.mkdir()
    for path in (fifo, folder, Path("/dev/zero")):
        assert suite.faults([str(path)]) == [f"{path}: no regular file, allowed: one of YAML"]
    missing = "no such file, and no suite of llamarig's own (walkthrough and bench)"
    assert suite.faults([str(tmp_path / "none")]) == [f"{tmp_path}/none: {missing}"]
    assert suite.faults(["no\x1bne"])[0].isprintable()
    assert suite.faults(["~nobody-of-this-name/x"]) == [
        "~nobody-of-this-name/x: no such user's folder"
    ]
    assert suite.faults(["a\0b"])[0].endswith("can't be read (embedded null byte)")
    assert suite.faults(["x" * 5000])[0].endswith("can't be read (File name too long)")


# A loaded machine is no fault: no deadline, and the same examples every time.
STEADY = settings(
    max_examples=200, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@STEADY
@given(st.binary(max_size=300))
def test_no_bytes_are_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(content)
    for line in suite.faults([str(path)]):
        assert line.startswith(f"{path}: ")
        assert line.isprintable()


LEAVES = st.one_of(st.text(max_size=20), st.just("one"))
KEYS = st.sampled_from(["about", "warmup", "prompts", "id", "class", "text", "\x1b", "txt"])
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5)
)


@STEADY
@given(st.dictionaries(KEYS, TREES))
def test_whatever_has_no_fault_can_be_sent(content: dict[Any, Any]) -> None:
    """Faults are printable lines; without one, every part is text that JSON and UTF-8 take."""
    found = suite_form.faults(content)
    assert all(line.isprintable() for line in found)
    if not found:
        kept = suite_form.Document.model_validate(content)
        for each in kept.prompts:
            assert each.text.strip() == each.text != ""
            assert each.text.encode()


def test_own_suites_leave_no_room_for_doubt() -> None:
    for name in ("walkthrough", "bench"):
        for each in suite.load(name).prompts:
            assert len(each["text"]) > 150  # short questions get short answers
    with pytest.raises(UserError, match="no such file"):
        suite.load("article")
