"""What the names of an inventory file may hold, said before pyinfra makes hosts of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FORM = 'a host is "NAME" or ("NAME", {data}); a name that begins with _ is no group'


def group_faults(names: Mapping[str, Any]) -> list[str]:
    """One line for each thing that pyinfra would stumble over, ignore or merge without a word."""
    faults: list[str] = []
    # The data that each host has so far, with the group that gave it.
    seen: dict[str, dict[str, tuple[str, Any]]] = {}
    groups = {key: value for key, value in names.items() if not key.startswith("_")}
    for group, value in groups.items():
        if not isinstance(value, (list, tuple)):
            continue
        hosts = _hosts_of(value)
        if hosts is None:
            faults.append(
                f'{group}: a group is a list, ["NAME"], or such a list and data, ([…], {{…}})'
            )
            continue
        here: set[str] = set()
        for number, host in enumerate(hosts, 1):
            fault, name, data = _host(host)
            if fault:
                faults.append(f"{group}: host {number}: {fault}")
                continue
            if name in here:
                faults.append(f"{group}: host {name} twice")
            here.add(name)
            known = seen.setdefault(name, {})
            faults += [
                f"host {name}: {key} differs between the groups {known[key][0]} and {group}"
                for key, mine in data.items()
                if key in known and known[key][0] != group and known[key][1] != mine
            ]
            known.update({key: (group, mine) for key, mine in data.items()})
    if not seen and not faults:
        others = [f"{key} is a {type(value).__name__}" for key, value in groups.items()
                  if isinstance(value, (str, dict, set))]  # fmt: skip
        given = f" ({', '.join(others)})" if others else ""
        faults.append(f'no hosts{given}: it needs a list of them, such as hosts = ["gpu01"]')
    return faults


def _hosts_of(group: list[Any] | tuple[Any, ...]) -> list[Any] | tuple[Any, ...] | None:
    """The hosts of a group, None for what is none: a tuple is hosts and their data to pyinfra."""
    if isinstance(group, list):
        return group
    if len(group) == 2 and isinstance(group[0], (list, tuple)) and isinstance(group[1], dict):
        return group[0]
    return None


def _host(host: Any) -> tuple[str | None, str, dict[Any, Any]]:
    """What is wrong with a host, its name and its data."""
    if isinstance(host, tuple):
        if len(host) != 2 or not isinstance(host[0], str) or not isinstance(host[1], dict):
            return f"found {_shape(host)}, {_FORM}", "", {}
        name, data = host
    elif isinstance(host, str):
        name, data = host, {}
    else:
        return f"found {_shape(host)}, {_FORM}", "", {}
    if not name or len(name) > 253 or not name.isprintable() or " " in name:
        shown = repr(name if len(name) < 40 else name[:39] + "…")
        return f"{shown} is no name: 1 to 253 printable characters without a space", "", {}
    return None, name, data


def _shape(host: Any) -> str:
    if isinstance(host, tuple):
        return f"({', '.join(type(each).__name__ for each in host)})"
    return f"a value of type {type(host).__name__}"
