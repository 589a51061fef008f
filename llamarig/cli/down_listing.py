"""What `llamarig down` says of hosts: what goes, what stays, what became of it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from llamarig import report
from llamarig.display import plain

# Those of which there may be many are counted; the JSON report names them all.
COUNTED = {"package": "package(s)", "hold": "held package(s)"}
WIDTH = 96


def show(hosts: dict[str, dict[str, Any]], *, purge: bool) -> None:
    """What goes and what stays, host by host."""
    for name, entry in sorted(hosts.items()):
        found = entry.get("down")
        if found is None:
            print(f"{name}: not known, the lines above say why")
        elif not found["goes"] and not found["stays"]:
            print(f"{name}: nothing of llamarig is here")
        else:
            for title, items in (("goes", found["goes"]), ("stays", found["stays"])):
                _list(name, title, items)
            if all(each["kind"] == "foreign" for each in found["goes"] + found["stays"]):
                print(f"{name}: nothing of llamarig is here")
            elif not found["goes"]:
                more = "" if purge else "; --purge removes what stays"
                print(f"{name}: nothing to do{more}")


def _list(name: str, title: str, items: list[dict[str, Any]]) -> None:
    if items:
        print(f"{name}: {title}{size_text(items)}")
        for line in lines(items):
            # Only what was counted is long; a path is to be copied whole.
            width = WIDTH if line[0].isdigit() else sys.maxsize
            for part in textwrap.wrap(
                plain(line),
                width,
                break_on_hyphens=False,
                break_long_words=False,
                subsequent_indent="    ",
            ):
                print(f"    {part}")  # fmt: skip


def lines(items: Iterable[dict[str, Any]]) -> list[str]:
    """An item a line; those of a kind that is counted together, by the words they share."""
    said: list[str] = []
    counted: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in items:
        if each["kind"] in COUNTED:
            counted.setdefault((each["kind"], each["words"]), []).append(each)
            continue
        words = f" ({each['words']})" if each["words"] else ""
        said.append(f"{_kind(each['kind'])}{each['name']}{words}{size_text([each])}")
    for (kind, words), group in counted.items():
        why = f" ({words})" if words else ""
        names = " ".join(each["name"] for each in group)
        said.append(f"{len(group)} {COUNTED[kind]}{why}{size_text(group)}: {names}")
    return said


def _kind(kind: str) -> str:
    """The word before a name that does not say what it is."""
    return f"{kind} " if kind in ("job", "service", "user", "group", "model", "firewall") else ""


def size_text(items: Iterable[dict[str, Any]]) -> str:
    """`, 1.25 GB` for what has a size; nothing else has."""
    sizes = [each["size"] for each in items if each["size"] is not None]
    return f", {sum(sizes) / 1e9:.2f} GB" if sizes else ""


def outcome(entry: dict[str, Any]) -> str:
    """A host's last line; why something failed has been said when it did."""
    found = entry["down"]
    if report.sick(entry) or not found["removed"]:
        return "not done, the lines above say why"
    freed = size_text(found["goes"]).replace(", ", ", freed ", 1)
    if found["extent"] == "service":
        return f"stopped, and nothing of it starts at boot{freed}; `llamarig up` brings it back"
    rest = [each for each in found["stays"] if each["kind"] != "foreign"]
    if not rest:
        return f"nothing of llamarig is left{freed}"
    kinds = ", ".join(sorted({each["kind"] for each in rest}))
    return f"purged{freed}; what stays is listed above ({kinds})"
