"""The chart of a measurement: what it holds, and that no text covers another."""

from __future__ import annotations

import io
import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llamarig.reports import chart, drawing, layout, palette, run, walkthrough
from llamarig.reports.run import Run

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "bench-record.json"


def bench(depths: int, prompts: int, *, least: float | None = None) -> Run:
    """A bench of so many arms and prompts, its speedups around the gate."""
    names = [f"prompt_{'long_' * (place % 4)}{place}" for place in range(prompts)]
    arms = {}
    for depth in range(depths):
        pace = 1 + 0.22 * depth
        each = {
            "tps": 400.0 * pace,
            "speedup": pace,
            "interval": [pace - 0.2, pace + 0.3] if depth else None,
        }
        arms[f"n{depth}"] = {
            "draft_n_max": depth, "draft_p_min": least if depth else None, **each,
            "per_prompt": {name: {"class": "code", **each} for name in names},
        }  # fmt: skip
    return run.read({"kind": "bench", "arms": arms, "min_speedup": 1.7})


def proof() -> Run:
    prompts = {name: {"class": "c", "baseline_tps": 44.0, "mtp_tps": 80.0, "speedup": 1.8,
                      "interval": [1.7, 1.9]} for name in ("fibonacci", "marbles")}  # fmt: skip
    return run.read({
        "kind": "proof", "baseline_tps": 44.0, "mtp_tps": 80.0, "speedup": 1.8,
        "interval": [1.75, 1.85], "min_speedup": 1.7, "per_prompt": prompts,
    })  # fmt: skip


RUNS = {
    "recorded": run.read(json.loads(RECORDED.read_text())),
    "walkthrough": run.read(walkthrough.record()),
    "proof": proof(),
    "nine classes": bench(4, 9),
    "seven arms": bench(7, 3),
    "many p-mins": bench(12, 3, least=0.75),
    "only a baseline": bench(1, 1),
}
PANELS = ((chart.SPEEDS,), (chart.SPEEDUPS,), (chart.SPEEDS, chart.SPEEDUPS))


def texts(drawn: Any) -> list[tuple[str, Any]]:
    """All that is written, with its box in pixels."""
    drawn.draw_without_rendering()
    found = []
    for axes in drawn.axes:
        left, right = axes.get_xlim()
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        found += [label for place, label in ticks if left <= place <= right]
        found += [*axes.texts, axes._left_title]  # get_title gives text, no box
        found += axes.get_legend().get_texts() if axes.get_legend() else []
    return [(each.get_text(), each.get_window_extent()) for each in found]


@pytest.mark.parametrize("panels", PANELS)
@pytest.mark.parametrize("name", RUNS)
def test_no_text_covers_another_or_leaves_the_picture(name: str, panels: tuple[str, ...]) -> None:
    drawn = chart.draw(RUNS[name], palette.LIGHT, panels)
    written = texts(drawn)
    page = drawn.bbox
    for text, box in written:
        assert box.x0 >= page.x0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y0 >= page.y0 - 1, text
        assert box.y1 <= page.y1 + 1, text
    for (one, first), (other, second) in combinations(written, 2):
        # A pixel of a letter's box may be empty.
        apart = (
            first.x1 <= second.x0 + 1 or second.x1 <= first.x0 + 1
            or first.y1 <= second.y0 + 1 or second.y1 <= first.y0 + 1
        )  # fmt: skip
        assert apart, f"{one!r} and {other!r}"


def test_it_says_what_the_walkthrough_says() -> None:
    written = [text for text, _ in texts(chart.draw(RUNS["walkthrough"], palette.LIGHT))]
    for figure in ("44.3", "80.3", "82.8", "97.8", "44.2", "82.1", "87.4"):
        assert figure in written
    for figure in ("1.87x", "1.85x", "2.21x", "1.98x", "gate 1.7x", "MTP n=2", "average"):
        assert figure in written


def test_whiskers_are_the_interval_and_the_line_is_the_gate() -> None:
    drawn = chart.draw(RUNS["proof"], palette.LIGHT, (chart.SPEEDUPS,))
    lines = [list(line.get_xdata()) for line in drawn.axes[0].lines]
    assert [1.75, 1.85] in lines
    assert [1.7, 1.7] in lines
    assert drawn.axes[0].get_xlim()[0] == 0


def test_without_intervals_there_are_no_whiskers() -> None:
    drawn = chart.draw(RUNS["walkthrough"], palette.LIGHT, (chart.SPEEDUPS,))
    assert {tuple(line.get_xdata()) for line in drawn.axes[0].lines} == {(1.7, 1.7)}


def test_of_a_crowd_only_the_averages_are_drawn() -> None:
    groups = layout.groups(RUNS["many p-mins"])
    assert [group.name for group in groups[:3]] == [
        "baseline", "MTP n=1, p-min 0.75", "MTP n=2, p-min 0.75",
    ]  # fmt: skip
    assert {len(group.bars) for group in groups} == {1}
    assert [group.name for group in layout.groups(RUNS["proof"])] == [
        "fibonacci",
        "marbles",
        "average",
    ]


def test_prompts_stand_in_the_order_they_were_asked_in() -> None:
    """JSON that was written with sorted keys has var-log last."""
    assert list(RUNS["recorded"].prompts) == ["fibonacci", "var-log", "marbles"]


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK])
def test_files_are_whole_and_made_alike_twice(colours: dict[str, str]) -> None:
    made = [chart.draw(RUNS["recorded"], colours) for _ in range(2)]
    picture = Image.open(io.BytesIO(drawing.png(made[0])))
    assert picture.size[0] == round(chart.BOTH * drawing.DPI)
    assert (
        "#{:02x}{:02x}{:02x}".format(*picture.convert("RGB").getpixel((2, 2))) == colours["surface"]
    )
    assert drawing.png(made[0]) == drawing.png(made[1])
    outlines = drawing.svg(made[0])
    assert outlines == drawing.svg(made[1])
    assert b"<text" not in outlines  # letters are outlines, the same on every machine


def test_a_page_colours_and_letters_its_chart_itself() -> None:
    text = drawing.inline(chart.draw(RUNS["recorded"], palette.LIGHT), palette.LIGHT, 'a "b" <c>')
    assert 'aria-label="a &#34;b&#34; &lt;c&gt;"' in text
    assert "<text" in text
    assert re.findall("#[0-9a-f]{6}", text) == []
    assert "font-family" not in text
    assert "<style" not in text


def test_nothing_measured_is_no_chart() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        chart.draw(run.read({}), palette.LIGHT)
