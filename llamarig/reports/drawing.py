"""matplotlib, brought in when something is drawn: no display, no home, no word on stderr.

Figures become PNG, SVG whose letters are outlines (the same everywhere), or SVG for a page, whose
letters are the page's and whose colours follow its light or dark look.
"""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from llamarig import cache

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 200
POINTS = 72
LOOK: dict[Any, Any] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "text.parse_math": False,
    "axes.unicode_minus": False, "svg.hashsalt": "llamarig",
}  # fmt: skip
# What matplotlib writes for a file of its own, and a page has its own of: style, fonts, ids.
FOREIGN = (
    (re.compile(r"<metadata>.*?</metadata>", re.DOTALL), ""),
    (re.compile(r"<style.*?</style>", re.DOTALL), ""),
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r" ?font-family: 'DejaVu Sans', sans-serif;?"), ""),
    (re.compile(r'<g id="[^"]*"'), "<g"),
)
# No date, no program, no address.
NOTHING = {"Creator": None, "Date": None, "Format": None, "Type": None}


def figure(width: float, height: float) -> Figure:
    """An empty figure, inches. Reads neither the user's nor the folder's matplotlibrc."""
    # What it would say is of fonts and folders: a folder that can't be written it makes elsewhere.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    os.environ.setdefault("MPLCONFIGDIR", str(cache.root() / "matplotlib"))
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcdefaults()
    matplotlib.rcParams.update(LOOK)
    return Figure(figsize=(width, height))


def png(drawn: Figure) -> bytes:
    return _saved(drawn, "png", dpi=DPI, metadata={"Software": None})


def svg(drawn: Figure) -> bytes:
    """For a file of its own."""
    return _saved(drawn, "svg", metadata=NOTHING)


def inline(drawn: Figure, palette: Mapping[str, str], label: str) -> Markup:
    """For a page: every colour of the palette is `var(--role)`, letters are the page's.

    label: what it shows, for those who can't see it.
    """
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none"}):
        text = _saved(drawn, "svg", metadata=NOTHING).decode()
    body = text[text.index(">", text.index("<svg")) + 1 :]
    for pattern, instead in FOREIGN:
        body = pattern.sub(instead, body)
    for role, colour in palette.items():
        body = body.replace(colour, f"var(--{role})")
    width, height = (each * POINTS for each in drawn.get_size_inches())
    head = (
        f'<svg viewBox="0 0 {width:g} {height:g}" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'role="img" aria-label="{escape(label)}">'
    )
    # Its text is escaped by matplotlib: it holds no < of anybody else's.
    return Markup(head + body)


def _saved(drawn: Figure, kind: str, **more: Any) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box.
        warnings.simplefilter("ignore")
        drawn.savefig(target, format=kind, facecolor=drawn.get_facecolor(), **more)
    return target.getvalue()
