"""A report per run: one HTML file that needs nothing else, the chart as files, the record.

Records come from hosts, so every value is escaped by the template, no text of theirs is a link,
and the page forbids itself scripts and everything from elsewhere.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from llamarig import __version__
from llamarig.reports import chart, compare, context, drawing, palette, run, words
from llamarig.reports.reading import moment, text
from llamarig.reports.run import Run

PACKAGE = "llamarig.reports"


def write(record: dict[str, Any], folder: Path, host: str = "") -> list[Path]:
    """Write report.html, record.json and, where anything was measured, the chart as PNG and SVG,
    light and dark; the paths written. The folder is made.

    Raises:
        OSError: it can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {"report.html": html(record, host).encode(), "record.json": _json(record).encode()}
    found = run.read(record)
    for suffix, colours in (("", palette.LIGHT), ("-dark", palette.DARK)) if found.arms else ():
        drawn = chart.draw(found, colours)
        content[f"chart{suffix}.png"] = drawing.png(drawn)
        content[f"chart{suffix}.svg"] = drawing.svg(drawn)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in content]


def html(record: dict[str, Any], host: str = "") -> str:
    """The report of one measurement, whatever its kind and however much of it is there."""
    found = run.read(record)
    return render(
        "run.html.j2",
        title=" ".join(filter(None, (found.title, host and f"of {text(host, 80)}"))),
        run=found,
        when=moment(found.when),
        device=context.device(record),
        panels=panels(found),
        columns=words.COLUMNS,
        groups=groups(found),
        comparison=compare.rows(record),
        walkthrough=compare.headline(found),
        context=context.lines(record),
        recipe=context.recipe(record),
        disturbed=context.disturbed(record),
        raw=_json(record),
        raw_address=data_address(_json(record)),
    )


def panels(found: Run) -> list[Markup]:
    """The chart's two panels as SVG for the page."""
    if not found.arms:
        return []
    titles = {
        chart.SPEEDS: "tokens a second by prompt and arm",
        chart.SPEEDUPS: "speedup by prompt",
    }
    return [
        drawing.inline(
            chart.draw(found, palette.LIGHT, (panel,)),
            palette.LIGHT,
            f"Bar chart: {title}; the table below has its figures",
        )
        for panel, title in titles.items()
    ]


def groups(found: Run) -> Iterable[tuple[str, str, list[tuple[str, list[str]]]]]:
    """The table's parts: all prompts first, then each prompt, with a row of cells per arm."""
    yield "All prompts", "", [(arm.label, words.cells(arm.overall)) for arm in found.arms]
    for prompt, kind in found.prompts.items():
        rows = [(arm.label, words.cells(arm.prompts[prompt]))
                for arm in found.arms if prompt in arm.prompts]  # fmt: skip
        yield prompt, kind if kind != prompt else "", rows


def render(name: str, **values: Any) -> str:
    """A page from one of our templates; text that is no UTF-8 loses what can't be written."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    made = environment.get_template(name).render(
        values, light=palette.LIGHT, dark=palette.DARK, style=Markup(_template("style.css")),
        version=__version__,
    )  # fmt: skip
    return made.encode("utf-8", "replace").decode()


def data_address(raw: str) -> str:
    """A JSON document as a link that holds it."""
    return f"data:application/json;base64,{base64.b64encode(raw.encode()).decode()}"


def _template(name: str) -> str:
    return files(PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _json(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=2, sort_keys=True) + "\n"
