"""group_data/tuned.yaml: read whatever it holds, written whole, merged between host and group."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from llamarig import host_data, site_file
from llamarig.cli.inventory import load
from llamarig.errors import UserError
from llamarig.tasks.tuned_stale import differences
from llamarig.tuned import HEADER, MEND, PLACE, Tuned

EVIDENCE = {
    "speedup": 1.98, "interval": [1.93, 2.03], "tps": 87.4, "baseline_tps": 44.2,
    "card": "NVIDIA GeForce RTX 4090", "driver": "580.95.05", "power_limit_w": 450.0,
    "release": "b11434-cuda-0123456789", "model_sha256": "1" * 64, "measured": "2026-11-01",
    "tokens": 12528,
}  # fmt: skip
ENTRY: dict[str, Any] = {"draft_n_max": 4, "draft_p_min": 0.5, "evidence": EVIDENCE}


def site(folder: Path, text: str) -> Path:
    (folder / "group_data").mkdir(exist_ok=True)
    (folder / PLACE).write_text(text)
    return folder


def test_what_is_written_is_read_and_without_fault(tmp_path: Path) -> None:
    tuned = Tuned(tmp_path)
    assert tuned.read() == ({}, [])
    assert tuned.put("gpu01", ENTRY)
    assert not tuned.put("gpu01", ENTRY)
    assert tuned.read() == ({"gpu01": ENTRY}, [])
    assert tuned.path.read_text().startswith(HEADER)
    assert [each.name for each in tuned.path.parent.iterdir()] == ["tuned.yaml"]


def test_without_a_card_and_with_an_unquoted_date_it_is_sound(tmp_path: Path) -> None:
    none = {"card": None, "driver": None, "power_limit_w": None}
    text = yaml.safe_dump({"@local": {**ENTRY, "evidence": {**EVIDENCE, **none}}})
    folder = site(tmp_path, text.replace("'2026-11-01'", "2026-11-01"))
    sound, lines = Tuned(folder).read()
    assert (list(sound), lines) == (["@local"], [])


def test_other_hosts_stay_as_they_are(tmp_path: Path) -> None:
    """Also those that this inventory does not know, in their order."""
    folder = site(tmp_path, "zeta: {draft_n_max: 2}\nalpha: {draft_n_max: 5}\n")
    Tuned(folder).put("gpu01", ENTRY)
    content = yaml.safe_load((folder / PLACE).read_text())
    assert list(content) == ["zeta", "alpha", "gpu01"]
    assert content["alpha"] == {"draft_n_max": 5}


DEPTH = "allowed: a whole number from 1 to 16"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("gpu01: {draft_n_max: 0}", f"gpu01: draft_n_max: found 0, {DEPTH}"),
        ("gpu01: {draft_n_max: '4'}", f"gpu01: draft_n_max: found '4', {DEPTH}"),
        ("gpu01: {draft_n_max: true}", f"gpu01: draft_n_max: found True, {DEPTH}"),
        ("gpu01: {draft_n_max:}", f"gpu01: draft_n_max: found None, {DEPTH}"),
        (
            "gpu01: {draft_p_min: 2}",
            "gpu01: draft_p_min: found 2, allowed: a number from 0 to 1 or None",
        ),
        ("gpu01: {draft_nmax: 4}", "gpu01: draft_nmax: unknown key, nearest known: draft_n_max"),
        (
            "gpu01: {xyz: 4}",
            "gpu01: xyz: unknown key, known: draft_n_max, draft_p_min, evidence",
        ),
        ("gpu01: 4", "gpu01: found a value of type int, allowed: draft_n_max, draft_p_min"),
        ("5: {draft_n_max: 4}", "found a key of type int, allowed: a host's name"),
        (
            "gpu01: {evidence: {speedup: fast}}",
            "gpu01: evidence: speedup: found 'fast', allowed: a number",
        ),
        (
            "gpu01: {evidence: {driver: 580.9}}",
            "gpu01: evidence: driver: found 580.9, allowed: text in quotes, or null without a card",
        ),
        (
            "gpu01: {evidence: {interval: [1.0]}}",
            "gpu01: evidence: interval: found a value of type list, allowed: two numbers",
        ),
        (
            "gpu01: {evidence: {speedup: .inf}}",
            "gpu01: evidence: speedup: found inf, allowed: a number",
        ),
        ("gpu01: {evidence: 4}", "gpu01: evidence: found a value of type int"),
        ("gpu01: {evidence: {token: 4}}", "gpu01: evidence: token: unknown key, nearest known: "
         "tokens"),
        (r'"gpu\e[2J": {"draft\e": 4}', "gpu�[2J: draft�: unknown key, known: "
         "draft_n_max, draft_p_min, evidence"),
        ("[" * 5000, "nested too deeply"),
        ("gpu01", "expected a mapping"),
    ],
)  # fmt: skip
def test_a_fault_says_where_and_what(tmp_path: Path, text: str, fault: str) -> None:
    folder = site(tmp_path, text)
    assert Tuned(folder).read() == ({}, [f"{folder / PLACE}: {fault}; {MEND}"])


def test_all_faults_are_said_and_the_sound_host_is_kept(tmp_path: Path) -> None:
    folder = site(tmp_path, "a: {draft_n_max: 0, draft_p_min: 7}\nb: {x: 1}\nc: {draft_n_max: 2}\n")
    sound, lines = Tuned(folder).read()
    assert sound == {"c": {"draft_n_max": 2}}
    assert [line.split(": ")[1:3] for line in lines] == [
        ["a", "draft_n_max"], ["a", "draft_p_min"], ["b", "x"],
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["a: [", "a: !!bool x", "a: !!timestamp x", "\x00", "a: *b"])
def test_a_file_that_is_no_yaml_is_one_line(tmp_path: Path, text: str) -> None:
    folder = site(tmp_path, text)
    (line,) = Tuned(folder).read()[1]
    assert line.startswith(f"{folder / PLACE}: not readable as YAML (")
    with pytest.raises(UserError, match=r"tuned\.yaml"):
        Tuned(folder).put("gpu01", ENTRY)
    assert (folder / PLACE).read_text() == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "gpu01:\n  evidence:\n    measured: 2026-02-31\n",
            "line 3: day is out of range for month",
        ),
        ("gpu01: {draft_n_max: 4}\ngpu01: {}\n", "gpu01: given twice in the mapping of line 1"),
        ("a:\n  x: 1\n  x: 2\n", "x: given twice in the mapping of line 2"),
    ],
)
def test_a_value_or_a_key_that_is_none_is_named_with_its_line(
    tmp_path: Path, text: str, reason: str
) -> None:
    folder = site(tmp_path, text)
    assert Tuned(folder).read()[1] == [f"{folder / PLACE}: not readable as YAML ({reason}); {MEND}"]


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    folder = site(tmp_path, "")
    with (folder / PLACE).open("r+b") as file:
        file.truncate(site_file.MOST_BYTES + 1)
    (line,) = Tuned(folder).read()[1]
    assert f"more than {site_file.MOST_BYTES} bytes" in line


def test_a_folder_in_its_place_or_one_that_is_not_ours_is_one_line(tmp_path: Path) -> None:
    (tmp_path / PLACE).mkdir(parents=True)
    (line,) = Tuned(tmp_path).read()[1]
    assert line.startswith(f"{tmp_path / PLACE}: ")
    gone = Tuned(tmp_path / "gone")
    with pytest.raises(UserError, match="can't be locked"):
        gone.put("gpu01", ENTRY)


WRITER = """
import sys
from pathlib import Path
from llamarig.tuned import Tuned
for number in range(20):
    Tuned(Path(sys.argv[1])).put(f"{sys.argv[2]}-{number}", {"draft_n_max": 2})
"""


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in "abc"
    ]
    assert [each.wait(120) for each in running] == [0, 0, 0]
    sound, lines = Tuned(tmp_path).read()
    assert (len(sound), lines) == (60, [])


def test_it_goes_between_the_host_and_its_group(tmp_path: Path) -> None:
    """The same for the command line and for plain pyinfra, which both ask host_data."""
    folder = site(tmp_path, yaml.safe_dump({"gpu01": ENTRY, "gpu02": ENTRY, "gone": ENTRY}))
    (folder / "group_data" / "cards.py").write_text("draft_n_max = 2\ndraft_p_min = 0.25\n")
    inventory = folder / "inventory.py"
    inventory.write_text('cards = ["gpu01", ("gpu02", {"draft_n_max": 7}), "gpu03"]\n')
    hosts = load(inventory)
    assert hosts["gpu02"].own == {"draft_n_max"}
    found, lines = host_data.of_site(
        folder, {name: (each.data, each.own) for name, each in hosts.items()}
    )
    assert lines == []
    assert {name: (each.draft_n_max, each.draft_p_min) for name, each in found.items()} == {
        "gpu01": (4, 0.5), "gpu02": (7, 0.5), "gpu03": (2, 0.25),
    }  # fmt: skip


def test_its_faults_are_said_with_those_of_the_settings(tmp_path: Path) -> None:
    folder = site(tmp_path, "gpu01: {draft_n_max: 99}\n")
    _, lines = host_data.of_site(folder, {"gpu01": ({"port": 1}, {"port"})})
    assert len(lines) == 2
    assert lines[0].startswith("gpu01: port: found 1,")
    assert f"gpu01: draft_n_max: found 99, {DEPTH}" in lines[1]


@pytest.mark.parametrize(
    ("own", "card", "sha256", "parts"),
    [
        ((), EVIDENCE["card"], "1" * 64, []),
        ((), EVIDENCE["card"], None, []),
        ((), "NVIDIA RTX A6000", "1" * 64,
         ["tuned on NVIDIA GeForce RTX 4090, this is NVIDIA RTX A6000"]),
        ((), None, "2" * 64, ["this is no card", "another model"]),
        (("draft_n_max", "draft_p_min"), None, "2" * 64, []),
        (("draft_n_max",), EVIDENCE["card"], "2" * 64, ["another model"]),
    ],
)  # fmt: skip
def test_an_entry_of_another_card_or_model_is_said(
    own: tuple[str, ...], card: Any, sha256: str | None, parts: list[str]
) -> None:
    lines = differences(ENTRY, own, card, sha256)
    assert len(lines) == len(parts)
    for line, part in zip(lines, parts, strict=True):
        assert part in line
        assert line.endswith("`llamarig tune` measures it anew")
    assert differences({"draft_n_max": 3}, own, card, sha256) == []
