"""What serves is compared with what the settings ask for and with what was staged."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from llamarig.paths import CURRENT, LIVE_UNIT
from llamarig.settings import Settings
from llamarig.tasks import by_hand, drift, generation, plan_diff
from llamarig.tasks.facts.generation import Generation, GenerationState
from llamarig.tasks.facts.generation_files import FolderState
from llamarig.tasks.facts.live_server import LiveState
from llamarig.tasks.facts.service_unit import UnitState

BASE: dict[str, Any] = {"backend": "cpu"}
RELEASE, PATH, SHA = "b11434-cpu-0123456789", "/data/m.gguf", "a" * 64
UNIT = generation.UNITS[0]
LINKED = UnitState(link=f"{CURRENT}/{LIVE_UNIT}", wants="/x", loaded=True)


def rendered(number: int = 3, release: str = RELEASE, **changes: Any) -> generation.Rendered:
    settings = Settings.model_validate({**BASE, **changes})
    return generation.render(settings, number, release, PATH, SHA, systemd=252)


def staged(made: generation.Rendered) -> tuple[Generation, FolderState]:
    """A generation as a host has it."""
    import json

    manifest = json.loads(made.files["manifest.json"])
    live = Generation(made.number, made.digest, manifest, {"verdict": "pass"})
    return live, FolderState(dict(made.files), dict(made.links))


def asked(made: generation.Rendered, **changes: Any) -> drift.Asked:
    known = drift.Asked(made, RELEASE, Settings().model_file, SHA, True)
    return replace(known, **changes)


def test_nothing_changed_is_no_drift() -> None:
    live, found = staged(rendered())
    assert drift.of_settings(live, found, asked(rendered())) == []
    assert by_hand.edited(live, found, rendered()) == []
    assert by_hand.unit(LINKED) == []
    state = GenerationState(current=3, all=[live])
    assert drift.running(state, LiveState(active="active", generation=3)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"context": 16384}, "-c 8192 -> 16384"),
        ({"port": 9090}, "--port 8080 -> 9090"),
        ({"jinja": False}, "without --jinja, with --no-jinja"),
        ({"threads": 4}, "with --threads 4"),
        ({"spec_type": "none"}, "without --spec-type draft-mtp, without --spec-draft-n-max 3"),
        ({"service_user": "llm"}, "User=llamarig -> llm, Group=llamarig -> llm"),
        ({"proof_port": 18081}, "--port 18080 -> 18081"),
        ({"proof_suite": "bench"}, "other prompts in proof_suite"),
        ({"proof_tokens": 256}, "proof_tokens 128 -> 256"),
        ({"context": 512, "temperature": 1.0}, "-c 8192 -> 512, --temp 0.6 -> 1.0"),
    ],
)
def test_settings_that_changed_are_named_by_what_they_change(
    change: dict[str, Any], words: str
) -> None:
    live, found = staged(rendered())
    (line,) = drift.of_settings(live, found, asked(rendered(**change)))
    assert line == f"{words}; not deployed, `llamarig up` would stage it"


def test_another_model_or_release_is_named_as_such() -> None:
    live, found = staged(rendered())
    other = "b11500-cpu-0123456789"
    lines = drift.of_settings(live, found, asked(rendered(release=other), release=other))
    assert lines == [f"release {RELEASE} -> {other}; {drift.STAGE}"]
    file = live.manifest["model"]["file"]
    lines = drift.of_settings(live, found, asked(rendered(), model="o.gguf", there=False))
    assert lines == [f"model {file} -> o.gguf; {drift.STAGE}"]
    lines = drift.of_settings(live, found, asked(rendered(), sha256="b" * 64))
    assert "another file of that name (sha256 bbbbbbbbbbbb…)" in lines[0]
    (line,) = drift.of_settings(live, found, asked(rendered(), there=False))
    assert line.startswith(f"no record says that {PATH} is as it was verified")
    (line,) = drift.of_settings(live, found, asked(rendered(), release=None))
    assert line.startswith("which release the settings ask for is known once")


def test_an_edit_by_hand_is_seen_with_its_line() -> None:
    live, found = staged(rendered())
    text = found.files[UNIT].replace("Restart=on-failure", "Restart=no").replace("8192", "4096")
    found.files[UNIT] = text
    (line,) = by_hand.edited(live, found, rendered())
    assert line.startswith(f"{UNIT} of generation 3 was edited by hand (-c 8192 -> 4096, Restart=")
    assert "on-failure -> no)" in line
    found.files[UNIT] = rendered().files[UNIT] + "# mine\n"
    assert "only in its comments" in by_hand.edited(live, found, rendered())[0]
    del found.files[UNIT]
    assert by_hand.edited(live, found, rendered())[0].endswith(
        "was removed by hand; `llamarig up` makes another generation"
    )


def test_an_edit_is_seen_under_other_settings_too_where_the_manifest_can_tell() -> None:
    live, found = staged(rendered())
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in found.files.items()}
    found.files[UNIT] += "# mine\n"
    del live.manifest["files"]
    assert by_hand.edited(live, found, None) == []  # nobody can tell
    live.manifest["files"] = sums
    (line,) = by_hand.edited(live, found, None)
    assert "was edited by hand; `llamarig up` makes one without that" in line


def test_a_link_that_leads_elsewhere_is_seen() -> None:
    live, found = staged(rendered())
    found.links["release"] = "/opt/mine"
    del found.links["model.gguf"]
    lines = by_hand.edited(live, found, rendered())
    assert "release of generation 3 leads to /opt/mine, not to" in lines[0]
    assert "model.gguf of generation 3 leads to nothing" in lines[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"drop_ins": ("/etc/systemd/system/x.d/o.conf",)}, "o.conf changes the unit; remove it"),
        ({"own_file": True, "link": ""}, "is a file of its own"),
        ({"link": ""}, "is gone"),
        ({"link": "/root/mine.service"}, "leads to /root/mine.service"),
        ({"wants": ""}, "does not start at boot"),
    ],
)
def test_the_units_place_is_looked_at(change: dict[str, Any], words: str) -> None:
    (line,) = by_hand.unit(replace(LINKED, **change))
    assert words in line


@pytest.mark.parametrize(
    ("known", "live", "words"),
    [
        ({}, {"generation": 2}, "generation 2 runs while current names generation 3"),
        ({}, {"generation": None}, "something else runs while"),
        ({}, {"replaced": True}, "was replaced since it was loaded"),
        ({}, {"reload": True}, "systemctl daemon-reload"),
        ({"unfinished": True}, {}, "a switch was cut off"),
    ],
)
def test_what_runs_is_compared_with_current(
    known: dict[str, Any], live: dict[str, Any], words: str
) -> None:
    state = GenerationState(current=3, **known)
    (line,) = drift.running(state, LiveState(**{"active": "active", "generation": 3, **live}))
    assert words in line
    assert drift.running(GenerationState(current=3), LiveState(active="inactive")) == []


def test_the_plans_diff_shows_one_flag_and_no_numbers() -> None:
    _, found = staged(rendered(3))
    diffs = plan_diff.diffs(found, 3, rendered(4, context=16384))
    changed = [line for line in diffs[UNIT].splitlines()[2:] if line[:1] in "+-"]
    assert [line.split("\\")[0].split() for line in changed] == [["-", "-c", "8192"],
                                                                 ["+", "-c", "16384"]]  # fmt: skip
    assert set(diffs) >= {UNIT, "recipe.json"}
    assert "manifest.json" not in diffs
    assert "release" not in diffs
    assert plan_diff.diffs(found, 3, rendered(4)) == {}


def test_files_that_the_host_lacks_have_no_diff() -> None:
    diffs = plan_diff.diffs(FolderState(), 3, rendered(4))
    assert set(diffs.values()) == {None}
    assert {"release", UNIT} <= set(diffs)
