"""One page over all hosts: who differs, what is newest, and each host over time."""

from __future__ import annotations

import json
from typing import Any

from llamarig.reports import collect, drawing, outliers, page, palette, series, words
from llamarig.reports.collect import Host, Odd, Point
from llamarig.reports.reading import moment

COLUMNS = ("host", "newest", "when", "device", "without", "with MTP", "speedup", "interval",
           "acceptance", "verdict")  # fmt: skip
METHOD = (
    f"Compared are hosts with the same card (without one: processor), recipe, release, model and "
    f"prompts, {outliers.FEWEST} at least, by the newest measurement of each. An outlier is more "
    f"than {outliers.LIMIT:g} away from the median, in units of 0.6745 over the MAD (Iglewicz and "
    f"Hoaglin 1993), the MAD being taken as {outliers.LEAST_SPREAD:.1%} of the median at least."
)


def html(report: dict[str, dict[str, Any]]) -> str:
    """The page of a run's report: per host `measurements`, `measurements_broken`, `problems`."""
    hosts = collect.hosts(report)
    kept = {
        name: {key: entry.get(key) for key in ("measurements", "measurements_broken", "problems")}
        for name, entry in report.items()
    }
    raw = json.dumps({"hosts": kept}, indent=1, sort_keys=True) + "\n"
    return page.render(
        "fleet.html.j2",
        title=f"Measurements of {len(hosts)} host{'' if len(hosts) == 1 else 's'}",
        span=span([point for host in hosts for point in host.points]),
        odd=[line(each) for each in collect.odd(hosts)],
        method=METHOD,
        columns=COLUMNS,
        rows=[cells(host) for host in hosts],
        charts=[
            (host.name, _count(host), drawing.inline(series.draw(host, palette.LIGHT),
             palette.LIGHT, f"Tokens a second and speedup of {host.name} over time"))
            for host in hosts if host.points
        ],
        notes=notes(hosts),
        raw=raw,
        raw_address=page.data_address(raw),
    )  # fmt: skip


def line(odd: Odd) -> str:
    """`gpu04: tokens/s with MTP 68.7, median of 6 hosts 84.8 (z -10.5), …`"""
    form = ".2f" if odd.what == "speedup" else ".1f"
    return (
        f"{odd.host}: {odd.what} {odd.found.value:{form}}, median of {odd.hosts} like it "
        f"{odd.found.median:{form}} (z {odd.found.z:+.1f}); {odd.device}"
    )


def notes(hosts: list[Host]) -> list[str]:
    """Hosts of which nothing, or not all, is known."""
    found = [f"{host.name}: not known, {host.problem}" for host in hosts if host.problem]
    found += [f"{host.name}: nothing measured yet"
              for host in hosts if not host.points and not host.problem]  # fmt: skip
    found += [f"{host.name}: {host.broken} broken line(s) of its log left out"
              for host in hosts if host.broken]  # fmt: skip
    return found


def cells(host: Host) -> list[str]:
    """A host's row, in the order of COLUMNS."""
    newest = host.newest
    if newest is None:
        return [host.name, *[words.NOTHING] * (len(COLUMNS) - 1)]
    return [
        host.name,
        newest.kind or words.NOTHING,
        moment(newest.when),
        newest.device or words.NOTHING,
        words.plain(newest.baseline_tps, ".1f"),
        words.plain(newest.tps, ".1f"),
        words.plain(newest.speedup, ".2f", "x"),
        words.interval(newest.interval),
        words.share(newest.acceptance),
        newest.verdict or words.NOTHING,
    ]


def span(points: list[Point]) -> str:
    """From the oldest to the newest day; empty without measurements."""
    days = sorted(moment(point.when)[:10] for point in points)
    return "" if not days else days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"


def _count(host: Host) -> str:
    many = len(host.points)
    return f"{many} measurement{'' if many == 1 else 's'}, {span(list(host.points))}"
