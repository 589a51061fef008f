"""The palette: text that can be read, and bars that the colour blind tell apart."""

from __future__ import annotations

from itertools import combinations

import pytest

from llamarig.reports import palette


def _channels(colour: str) -> list[float]:
    values = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in values]


def _contrast(one: str, other: str) -> float:
    """WCAG 2.1's ratio of two colours."""
    weights = (0.2126, 0.7152, 0.0722)
    bright, dark = sorted(
        (
            sum(w * c for w, c in zip(weights, _channels(each), strict=True))
            for each in (one, other)
        ),
        reverse=True,
    )
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK])
def test_text_can_be_read_and_bars_be_seen(colours: dict[str, str]) -> None:
    for role in ("ink", "muted", "gate", "good", "bad", "unsure"):
        for ground in ("surface", "page"):
            assert _contrast(colours[role], colours[ground]) >= 4.5, (role, ground)
    for role in ("baseline", *(palette.series(place) for place in range(palette.SERIES))):
        assert _contrast(colours[role], colours["surface"]) >= 2, role


# G. Machado and others (2009), severity 1: linear RGB as seen by who lacks one kind of cone.
BLINDNESS = {
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def _lab(channels: list[float]) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of linear RGB."""
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    x, y, z = (
        (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116)
        for t in (
            sum(a * b for a, b in zip(row, channels, strict=True)) / w
            for row, w in zip(rows, white, strict=True)
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("colours", [palette.LIGHT, palette.DARK])
def test_the_bars_of_a_bench_differ_for_the_colour_blind(
    colours: dict[str, str], kind: str
) -> None:
    """Distance in L*a*b*; about 2 is what an eye just sees."""
    seen = {}
    for role in ("baseline", "series1", "series2", "series3"):
        linear = _channels(colours[role])
        seen[role] = _lab([
            min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True))))
            for row in BLINDNESS[kind]
        ])  # fmt: skip
    for one, other in combinations(seen, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance > 15, (one, other, distance)
