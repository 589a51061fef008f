"""A plan names what will run, shows what will be written, and says what is not known yet."""

from __future__ import annotations

from typing import Any

import pytest

from llamarig.cli import planned

UNIT = "\n".join(
    ["--- llama-server.service", "+++ llama-server.service", "@@ -1,2 +1,2 @@",
     "     -ngl 99 \\", "-    -c 8192 \\", "+    -c 16384 \\"]
)  # fmt: skip


def entry(*names: str, **more: Any) -> dict[str, Any]:
    return {"operations": [{"name": name, "outcome": "planned"} for name in names], **more}


def test_nothing_to_do_is_one_line() -> None:
    assert planned.lines("gpu01", entry()) == ["gpu01: no operation(s) would change something"]


def test_what_is_certain_and_what_is_open_are_told_apart() -> None:
    later = [
        {"name": "Stage a generation", "once": "the model is there"},
        {"name": "Prove the candidate", "once": "the model is there"},
    ]
    names = (
        "Model | Start the download",
        "Server | Stage a generation",
        "Proof | Prove the candidate",
    )
    assert planned.lines("gpu01", entry(*names, later=later)) == [
        "gpu01: 1 operation(s) would change something",
        "    Model | Start the download",
        "    then, once the model is there: Stage a generation, Prove the candidate; each only if "
        "it turns out to be needed",
    ]


def test_new_files_are_named_and_the_same_change_is_shown_once() -> None:
    candidate = UNIT.replace("llama-server.service", "candidate-mtp.service").replace(
        "-1,2", "-7,2"
    )
    files = {"candidate-mtp.service": candidate, "llama-server.service": UNIT, "new.nft": None}
    lines = planned.lines("gpu01", entry("Server | Stage a generation", files=files))
    assert lines[2] == "    + 1 file(s): new.nft"
    assert lines[3:9] == [f"      {line}" for line in UNIT.split("\n")]
    assert lines[9:] == ["    candidate-mtp.service: the same lines as llama-server.service"]


def test_a_diff_is_coloured_by_its_own_mark_and_only_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = {"x": "--- x\n+++ x\n@@ -1 +1 @@\n+a\x1b[2Jb"}
    data = entry("Server | Stage a generation", files={"llama-server.service": UNIT, **evil})
    planned.show("gpu01", data)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "      +a\N{REPLACEMENT CHARACTER}[2Jb\n" in printed
    seen: list[tuple[str, str | None]] = []
    monkeypatch.setattr(planned.click, "secho", lambda line, fg=None: seen.append((line, fg)))
    planned.show("gpu01", data)
    looks = {line.strip(): look for line, look in seen}
    assert looks["-    -c 8192 \\"] == "red"
    assert looks["+    -c 16384 \\"] == "green"
    assert looks["-ngl 99 \\"] is None  # a line that stays
    assert looks["Server | Stage a generation"] is None
