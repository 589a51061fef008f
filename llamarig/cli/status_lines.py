"""The lines below the table of `status`: what is not as it should be."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from llamarig import api_key

Hosts = dict[str, dict[str, Any]]


def ago(seconds: float | None) -> str:
    """`3 d`, `5 h`, `12 min` or `40 s`; a question mark where it is not known."""
    if seconds is None:
        return "?"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds) // size} {unit}"
    return f"{max(0, int(seconds))} s"


def wrong(hosts: Hosts) -> list[str]:
    """A line for each thing that is not as it should be."""
    return [f"{name}: {each}" for name, entry in hosts.items() for each in _wrong(entry)]


def _wrong(entry: dict[str, Any]) -> Iterable[str]:
    if entry["problems"]:
        yield "unreachable" if entry.get("unreachable") else "not known, see above"
        return
    if "service" not in entry:
        yield "not reached"
        return
    if entry["service"] != "active":
        yield _stopped(entry)
    if entry["service"] == "active" and entry.get("smoke") is None:
        yield "what serves has no proof; `llamarig up` proves it"
    yield from _checked(entry)
    for line in entry.get("drift") or []:
        yield f"drift: {line}"
    address = entry.get("address")
    if entry.get("key_open"):
        yield (
            "others than root can read the API key's file; `llamarig up` closes it, `llamarig key "
            "rotate` makes a new one"
        )
    if entry.get("key_stale"):
        yield (
            "the API key's file holds another key than the one that the server asks for; "
            "`systemctl restart llama-server` there takes the file's, `llamarig key rotate` makes "
            "a new one"
        )
    if address and not entry.get("keyed") and not loopback(address["bind"]):
        place = f"[{address['bind']}]" if ":" in address["bind"] else address["bind"]
        yield f"no API key: whoever reaches {place}:{address['port']} may use it"


def _checked(entry: dict[str, Any]) -> Iterable[str]:
    found = entry.get("check") or {}
    if found.get("verdict") == "fail":
        yield (
            f"check: failed {ago(found['age_seconds'])} ago: {found['reason']}; `llamarig smoke` "
            "measures it now, with --full both arms"
        )
    if entry.get("check_late") is not None:
        yield (
            f"check: none for {ago(entry['check_late'])}, more than three periods; a host in use "
            "is left alone, `llamarig logs --job check` says what happened"
        )


def _stopped(entry: dict[str, Any]) -> str:
    if entry.get("current") is None:
        return "not serving: nothing was deployed yet, or proven; `llamarig up` does both"
    ended = entry.get("result")
    how = f", {ended}" if ended not in (None, "", "success") else ""
    age = entry.get("seconds")
    since = f" for {ago(age)}" if age is not None else ""
    return (
        f"not serving: llama-server.service is {entry['service']}{how}{since}; "
        "`llamarig logs` says why, `llamarig up` starts it"
    )


def loopback(bind: str) -> bool:
    """Whether only the host itself reaches an address; one that is none counts as open."""
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def keys(hosts: Hosts) -> list[str]:
    """A line where hosts of the site have different API keys, or one has none that needs it."""
    keyed = {name: entry.get("api_key") for name, entry in hosts.items() if entry.get("keyed")}
    lines = [f"{name}: serves with an API key that is no longer there; `llamarig up` makes one"
             for name, key in keyed.items() if not key]  # fmt: skip
    first, *others = api_key.groups(keyed) or [[]]
    if others:
        verb = "has" if len(first) == 1 else "have"
        said = f"{', '.join(first)} {verb} one API key, "
        said += " and ".join(f"{', '.join(each)} another" for each in others)
        lines.append(f"{said}; `llamarig key rotate` gives all of them a new one")
    return lines
