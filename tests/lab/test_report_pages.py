"""Reports in a real browser: light and dark, on a phone, a tablet, at a desk and on paper.

`make report-pictures` also renews docs/report-*.png (LLAMARIG_SCREENSHOTS names the folder).
"""

from __future__ import annotations

import base64
import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made import made_lab

from llamarig.rehearsal.lab import Lab
from llamarig.reports import fleet, page, palette
from llamarig.reports.slim import slim

pytestmark = [
    pytest.mark.lab,
    pytest.mark.fault,
    pytest.mark.skipif(os.geteuid() != 0, reason="made hosts need root"),
]
HERE = Path(__file__).parent
RECORD = json.loads((HERE.parent / "recorded" / "bench-record.json").read_text())
EVIL = "</style></svg></pre><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'>"
# CSS pixels: smaller letters of a chart are hard to read on a phone.
LEAST_LETTERS = 9.0
HOUR, DAY = 3600, 86400


def check(place: int, age: int, speed: float) -> dict[str, Any]:
    """A check by timer of the place-th host, so many days ago, as its log has it."""
    wave = 1 + 0.01 * ((7 * place + 3 * age) % 5 - 2)
    return {
        "kind": "check" if age else "proof", "verdict": "pass", "min_speedup": 1.7,
        "speedup": 1.96 * wave, "interval": [1.91 * wave, 2.01 * wave], "acceptance": 0.66,
        "baseline_tps": 44.3 * speed, "mtp_tps": 86.8 * speed * wave,
        "finished": RECORD["finished"] - age * DAY + place * HOUR, "context": RECORD["context"],
    }  # fmt: skip


def hosts() -> dict[str, Any]:
    """Six hosts over three weeks, one slow, one with a broken line; the seventh has nothing."""
    found: dict[str, Any] = {}
    for place in range(1, 7):
        speed = 0.8 if place == 4 else 1.0
        own = [check(place, age, speed) for age in range(20, -1, -1)]
        own += [slim(RECORD)] if speed == 1.0 else []
        found[f"gpu{place:02}"] = {"measurements": own, "measurements_broken": int(place == 2)}
    return {**found, "gpu07": {"measurements": []}}


def hostile() -> dict[str, Any]:
    """The recorded bench; its prompts, card and release named by somebody who means harm."""
    record = copy.deepcopy(RECORD)
    record["reason"] = record["context"]["release"] = record["context"]["card"]["name"] = EVIL
    for arm in record["arms"].values():
        arm["per_prompt"] = {f"{EVIL}{name}": each for name, each in arm["per_prompt"].items()}
    return record


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with made_lab("pages", 1) as made:
        yield made


@pytest.fixture(scope="module")
def views(lab: Lab) -> list[dict[str, Any]]:
    """All views of three pages: a bench, a fleet, and a bench of somebody who means harm. Chromium
    comes from Debian."""

    def run(command: str) -> str:
        done = lab.ssh("gpu01", command, sudo=True)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    def put(name: str, content: bytes) -> None:
        # In pieces: an argument has an end.
        packed = base64.b64encode(content).decode()
        run(f"rm -f /root/{name}.b64")
        for place in range(0, len(packed), 60000):
            run(f"printf %s {packed[place : place + 60000]} >>/root/{name}.b64")
        run(f"base64 -d </root/{name}.b64 >/root/{name}")

    install = "DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends"
    run(f"apt-get update -q && {install} chromium chromium-driver fonts-dejavu-core")
    for name in ("browser.py", "camera.py"):
        put(name, (HERE / name).read_bytes())
    put("report.html", page.html(RECORD, "gpu01").encode())
    put("report-fleet.html", fleet.html(hosts()).encode())
    put("hostile.html", page.html(hostile(), EVIL).encode())
    said = run(
        "cd /root && timeout 300 python3 camera.py report.html report-fleet.html hostile.html"
    )
    found = [json.loads(line) for line in said.splitlines()]
    if folder := os.environ.get("LLAMARIG_SCREENSHOTS"):
        for view in found:
            if view["page"] != "hostile" and view["size"] in ("phone", "desk"):
                path = Path(folder) / Path(view["picture"]).name
                path.write_bytes(base64.b64decode(run(f"base64 /root/{view['picture']}")))
    return found


def colour(role: str) -> str:
    """A colour of the palette as a browser says it."""
    return "rgb({}, {}, {})".format(*(int(role[place : place + 2], 16) for place in (1, 3, 5)))


def test_all_views_were_seen(views: list[dict[str, Any]]) -> None:
    assert len(views) == 3 * (3 * 2 + 1)
    assert {view["svgs"] for view in views if view["page"] == "report"} == {2}
    assert {view["svgs"] for view in views if view["page"] == "report-fleet"} == {6}


def test_nothing_is_wider_than_the_screen(views: list[dict[str, Any]]) -> None:
    wrong = [view for view in views if view["overflow"] > 0 or view["beside"]]
    assert wrong == []


def test_no_letters_of_a_chart_cover_others_or_are_cut(views: list[dict[str, Any]]) -> None:
    assert [view for view in views if view["covered"] or view["cut"]] == []


def test_the_charts_can_be_read(views: list[dict[str, Any]]) -> None:
    on_screen = [view for view in views if view["look"] != "paper"]
    assert min(view["smallest"] for view in on_screen) >= LEAST_LETTERS


def test_light_and_dark_are_the_palettes_and_paper_is_light(views: list[dict[str, Any]]) -> None:
    for look, colours in (("light", palette.LIGHT), ("dark", palette.DARK)):
        seen = {(view["ground"], view["ink"]) for view in views if view["look"] == look}
        assert seen == {(colour(colours["page"]), colour(colours["ink"]))}
    paper = {view["ink"] for view in views if view["look"] == "paper"}
    assert paper == {colour(palette.LIGHT["ink"])}


def test_nothing_runs_and_nothing_is_asked_for(views: list[dict[str, Any]]) -> None:
    assert {(view["scripts"], view["requests"], view["pwned"]) for view in views} == {
        (0, 0, "undefined")
    }
