"""The report of a run: whole, self-contained, and deaf to what a host's record says."""

from __future__ import annotations

import base64
import copy
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamarig.reports import context, fleet, page, palette, run

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "bench-record.json"
RECORD: dict[str, Any] = json.loads(RECORDED.read_text())
EVIL = (
    "$\\x$\x1b[2J\x00\ud800</style></svg></pre>--><script>alert(1)</script>"
    "</title><img src=x onerror=alert(1)>\"'>&lt;{{7*7}}{% raw %}"
)
# Elements that may run or load something.
ACTIVE = {"script", "iframe", "object", "embed", "img", "link", "base", "form", "audio", "video",
          "foreignobject", "image", "feimage", "animate", "set"}  # fmt: skip
VOID = {"meta", "br", "hr", "input"}


class Reader(HTMLParser):
    """What a browser's parser would see: elements, attributes, text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    html.encode()  # as a file it has to be UTF-8
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def harmless(reader: Reader) -> None:
    """Nothing runs, nothing is loaded, nothing leads elsewhere."""
    assert ACTIVE.isdisjoint(reader.elements)
    for tag, name, value in reader.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "xlink:href", "src", "action", "formaction", "srcset", "data"):
            assert value.startswith(("#", "data:application/json;base64,")), (tag, name, value)
        if name == "style":
            assert "url(" not in value.replace("url(#", ""), value


def spoiled(value: Any) -> Any:
    """The same document with every text, keys of prompts and causes included, turned hostile."""
    if isinstance(value, dict):
        known = {"per_prompt", "disturbances", "load_seconds"}
        return {
            key: {f"{name}{EVIL}": spoiled(each) for name, each in item.items()}
            if key in known else spoiled(item)
            for key, item in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [spoiled(each) for each in value]
    return f"{value}{EVIL}" if isinstance(value, str) else value


def test_a_report_says_what_was_measured() -> None:
    text = " ".join("".join(read(page.html(RECORD, "gpu01")).text).split())
    for words in (
        "Bench of gpu01", "NVIDIA GeForce RTX 4090", "44.3 → 87.1 tokens/s with MTP n=3",
        "95 % interval 1.94 to 1.99, gate 1.7x", "Power limit450 W", "Temperature61 °C",
        "Driver570.144", "software thermal slowdown (3)", "b11434-sm89-1f5c0a77d2",
        "5d1c2c0c9f3b7a44", "--spec-draft-n-max 3", "AMD Ryzen 9 7950X", "Next to the walkthrough",
        "the card held its clocks back for heat or a fault (round 6)",
        "other clients were served meanwhile (round 4)", "Greedy answers equalyes",
    ):  # fmt: skip
        assert words in text


def test_every_figure_of_the_arms_is_in_the_table() -> None:
    html = page.html(RECORD)
    for title, _, rows in page.groups(run.read(RECORD)):
        assert title in html
        for label, cells in rows:
            assert len(cells) == 8
            assert "-" not in cells or label == "baseline" or title != "All prompts"
            assert all(f">{cell}</td>" in html for cell in cells)


def test_the_raw_record_can_be_read_and_saved() -> None:
    reader = read(page.html(RECORD))
    (address,) = [value for tag, name, value in reader.attributes if (tag, name) == ("a", "href")]
    assert json.loads(base64.b64decode(address.split(",", 1)[1])) == RECORD
    assert (
        json.loads(next(text for text in reader.text if text.startswith('{\n  "answers'))) == RECORD
    )


def test_it_needs_nothing_from_elsewhere() -> None:
    html = page.html(RECORD, "gpu01")
    harmless(read(html))
    assert "default-src 'none'" in html
    assert "url(" not in html.replace("url(#", "")
    assert "@import" not in html


def test_it_follows_the_readers_look() -> None:
    html = page.html(RECORD)
    for role, colour in palette.LIGHT.items():
        assert html.count(f"--{role}: {colour};") == 2  # on the screen, and on paper
        assert html.count(f"--{role}: {palette.DARK[role]};") == 1
    assert html.count("prefers-color-scheme: dark") == 1
    body = html[html.index("<body") :]
    assert "#" + "ffffff" not in body


def test_a_hostile_record_changes_no_element_of_the_page() -> None:
    evil = spoiled(copy.deepcopy(RECORD))
    evil["kind"], evil["verdict"] = RECORD["kind"], RECORD["verdict"]
    # The same samples under their prompts' new names, the same causes.
    for sample in evil["samples"]:
        sample["disturbed"] = [f"{each.removesuffix(EVIL)}{EVIL}" for each in sample["disturbed"]]
    hostile, plain = read(page.html(evil, f"gpu01{EVIL}")), read(page.html(RECORD, "gpu01"))
    harmless(hostile)
    extra = [each for each in set(hostile.elements) if each not in plain.elements]
    assert extra == []
    assert "alert(1)" in "".join(hostile.text)  # it is there, as text
    # A page with the same parts has the same elements, in the same order.
    again = read(page.html(spoiled(evil), "x"))
    assert again.elements == hostile.elements


def test_a_hostile_fleet_is_harmless_too() -> None:
    evil = spoiled({"kind": "x", "finished": 1781244312.0, "verdict": "pass", "reason": "r",
                    "context": RECORD["context"], "mtp_tps": 80.0, "speedup": 2.0})  # fmt: skip
    hosts = {
        f"a{EVIL}": {"measurements": [evil, 3, None], "measurements_broken": 1, "problems": []},
        f"b{EVIL}": {"problems": [EVIL]},
    }
    reader = read(fleet.html(hosts))
    harmless(reader)
    assert "svg" in reader.elements
    assert "alert(1)" in "".join(reader.text)


def test_files_are_written_and_whole(tmp_path: Path) -> None:
    made = page.write(RECORD, tmp_path / "new" / "folder", "gpu01")
    assert [path.name for path in made] == [
        "report.html", "record.json", "chart.png", "chart.svg", "chart-dark.png", "chart-dark.svg",
    ]  # fmt: skip
    assert all(path.stat().st_size > 1000 for path in made)
    assert json.loads(made[1].read_text()) == RECORD


def test_nothing_measured_is_a_page_without_a_chart(tmp_path: Path) -> None:
    made = page.write({"kind": "proof", "verdict": "fail", "reason": "no model"}, tmp_path)
    assert [path.name for path in made] == ["report.html", "record.json"]
    text = made[0].read_text()
    assert "Nothing was measured." in text
    assert "no model" in text
    assert "<svg" not in text


def test_disturbances_without_samples_are_told_by_their_counts() -> None:
    record = {"disturbances": {"cpu": 2, "throttling": 0, "odd": 1, "none": None}}
    assert [(count, rounds) for count, _, rounds in context.disturbed(record)] == [
        ("2", ""), ("1", ""),
    ]  # fmt: skip


KEYS = st.sampled_from([
    "arms", "n0", "n2", "per_prompt", "speedup", "interval", "tps", "mtp_tps", "baseline_tps",
    "context", "card", "samples", "disturbances", "disturbed", "throttled", "cpu", "finished",
    "min_speedup", "acceptance", "prefill_tps", "ms_per_token", "load_seconds", "recipe", "kind",
    "prompt", "fibonacci", "draft_n_max", "round", "measured", "answers_equal", "verdict",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.just(10**400) | st.sampled_from(["pass", EVIL]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=6),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=12))
def test_any_document_gives_a_harmless_page(record: dict[str, Any]) -> None:
    harmless(read(page.html(record, "gpu01")))
    harmless(read(fleet.html({"gpu01": {"measurements": [record], "problems": []}})))


@pytest.mark.parametrize("field", ["speedup", "interval", "tps", "acceptance", "per_prompt"])
def test_a_broken_arm_leaves_the_others(field: str) -> None:
    record = copy.deepcopy(RECORD)
    record["arms"]["n2"][field] = "broken"
    found = run.read(record)
    assert [arm.name for arm in found.arms] == ["n0", "n2", "n3"]
    assert "<svg" in page.html(record)
