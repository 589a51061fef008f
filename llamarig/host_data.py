"""Host data of pyinfra, checked: the settings of the sound hosts, and all faults of the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from llamarig import rules, suite
from llamarig.faults import Fault, collapse, nearest, shown
from llamarig.settings import Settings
from llamarig.tuned import Tuned, effective
from llamarig.values import allowed

# pyinfra's own, those of its @fake connector, helpers, and whatever a site keeps for itself.
EXEMPT = ("ssh_", "fake_", "_", "site_")


def exempt(key: str) -> bool:
    """Whether a key of the host data is somebody else's."""
    return key.startswith(EXEMPT)


def of_site(
    site: Path, hosts: Mapping[str, tuple[Mapping[str, object], Collection[str]]]
) -> tuple[dict[str, Settings], list[str]]:
    """The settings of the sound hosts with what was tuned for them, and a line for each fault.

    hosts: of each its data, and the keys of it that are its own: they beat what was tuned.
    """
    tuned, lines = Tuned(site).read()
    sound, faults = read(
        {name: effective(data, own, tuned.get(name, {})) for name, (data, own) in hosts.items()}
    )
    lines += [
        f"proof_suite: {line}" for line in suite.faults(each.proof_suite for each in sound.values())
    ]
    return sound, [fault.line() for fault in faults] + lines + _ports(sound)


def _ports(sound: Mapping[str, Settings]) -> list[str]:
    """A line where hosts that share with each other have different ports for it."""
    hosts: dict[int, list[str]] = {}
    for name, settings in sound.items():
        if settings.fan_out:
            hosts.setdefault(settings.fan_out_port, []).append(name)
    if len(hosts) < 2:
        return []
    told = "; ".join(f"{port} on {', '.join(names)}" for port, names in hosts.items())
    return [f"fan_out_port: {told}: one for all hosts that share, or fan_out = False for some"]


def read(
    hosts: Mapping[str, Mapping[str, object]],
) -> tuple[dict[str, Settings], list[Fault]]:
    """Check the data of all hosts, by name; the settings of the sound ones, and all faults."""
    sound: dict[str, Settings] = {}
    faults: list[Fault] = []
    for name, data in hosts.items():
        settings, found = _read_host(name, {k: v for k, v in data.items() if not exempt(k)})
        if settings is not None:
            sound[name] = settings
        faults += found
    return sound, collapse(faults, list(hosts))


def _read_host(name: str, data: dict[str, object]) -> tuple[Settings | None, list[Fault]]:
    faults = [
        Fault(name, key, None, None, nearest(key, Settings.model_fields))
        for key in data
        if key not in Settings.model_fields
    ]
    known = {key: value for key, value in data.items() if key in Settings.model_fields}
    settings, errors = _validate(known)
    bad: set[str] = set()
    for error in errors:
        if error["type"] != "llamarig_rules":
            bad.add(str(error["loc"][0]))
            faults.append(_fault(name, error, known))
    if bad and settings is None:
        # The rest still has rules to keep; a rule that rests on a bad value has to wait.
        _, errors = _validate({key: value for key, value in known.items() if key not in bad})
    for rule in _rules(errors):
        if not bad.intersection(rule.keys):
            faults.append(Fault(name, rule.key, shown(rule.key, rule.found), rule.allowed))
    return (None if faults else settings), list(dict.fromkeys(faults))


def _validate(data: dict[str, object]) -> tuple[Settings | None, list[ErrorDetails]]:
    try:
        return Settings.model_validate(data), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _rules(errors: list[ErrorDetails]) -> list[rules.Broken]:
    return [rule for error in errors for rule in error.get("ctx", {}).get("broken", [])]


def _fault(host: str, error: ErrorDetails, data: Mapping[str, object]) -> Fault:
    key = str(error["loc"][0])
    if len(error["loc"]) > 1 and isinstance(data[key], dict):
        inner = f"{key}.{error['loc'][1]}"
        return Fault(
            host,
            inner,
            "a wrong value, a missing or an unknown key",
            allowed(Settings.model_fields[key]),
        )
    if error["type"] == "llamarig_argument":
        context = error["ctx"]
        return Fault(host, key, context["found"], context["allowed"])
    return Fault(host, key, shown(key, data[key]), allowed(Settings.model_fields[key]))
