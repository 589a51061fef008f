"""The switch: `current` names another generation, which then has to answer at its own address.

What is under way stands in a file that survives a power cut: {to, from, stopped, flipped, reason}.
Whoever finds it settles it. stopped: epoch seconds since when nothing is served, None if nothing
was served before.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from llamarig.onhost import history, listening, systemd
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, replace_link, sync_folder, write_json

LIVE = "the live server"
UNDER_WAY = {"to", "from", "stopped", "flipped", "reason"}
UNFINISHED = "it was stopped before it was over"


def named(root: str, link: str) -> int | None:
    """The generation that `current` or `previous` names."""
    try:
        return int(os.path.basename(os.readlink(os.path.join(root, link))))
    except (OSError, ValueError):
        return None


def _name(root: str, link: str, number: int | None) -> None:
    path = os.path.join(root, link)
    if number is not None:
        replace_link(path, os.path.join("generations", str(number)))
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        sync_folder(path)


def _under_way(config: dict[str, Any]) -> dict[str, Any] | None:
    """What is under way; None for nothing, and for a file that does not tell."""
    try:
        found = read_json(config["transaction"])
    except (OSError, ValueError):
        return None
    return found if set(found) >= UNDER_WAY else None


def _address(root: str) -> dict[str, Any] | None:
    """Where the generation that is current serves, None without one."""
    try:
        manifest = read_json(os.path.join(root, "current", "manifest.json"))
        address: dict[str, Any] = manifest["address"]
        return address
    except (OSError, ValueError, KeyError, TypeError):
        return None


def serve(config: dict[str, Any]) -> None:
    """Start what `current` names and wait until it answers; nothing where there is none.

    Raises:
        Stop: it does not answer.
    """
    address = _address(config["root"])
    systemd.reload()
    if address is not None:
        seconds = float(config["load_timeout_s"])
        listening.start(LIVE, config["live_unit"], address, seconds, "port")


def begin(config: dict[str, Any]) -> None:
    """Note what is about to happen, and stop what serves."""
    settle(config)
    root, unit = config["root"], config["live_unit"]
    address = _address(root)
    serving = address is not None and listening.healthy(unit, address)
    write_json(
        config["transaction"],
        {
            "to": config["generation"],
            "from": named(root, "current"),
            "stopped": time.time() if serving else None,
            "flipped": False,
            "reason": None,
        },
    )
    systemd.stop(unit)


def note(config: dict[str, Any], reason: str) -> None:
    """Keep why it will not come to a switch, for the history."""
    found = _under_way(config)
    if found is not None:
        write_json(config["transaction"], {**found, "reason": reason})


def go(config: dict[str, Any]) -> None:
    """Make the candidate current, start it and wait for its answer.

    Raises:
        Stop: it does not answer; what was current before is so again, and serves.
    """
    found = _under_way(config)
    if found is None:
        raise Stop(f"{config['transaction']} is gone; run it again")
    # Written first: whoever finds `current` changed knows by it that nobody saw it answer.
    found["flipped"] = True
    write_json(config["transaction"], found)
    _name(config["root"], "current", found["to"])
    _confirm(config, found)


def _confirm(config: dict[str, Any], found: dict[str, Any]) -> None:
    try:
        serve(config)
    except Stop as stop:
        _back(config, found, str(stop))
        raise
    if found["from"] not in (None, found["to"]):
        _name(config["root"], "previous", found["from"])
    _over(config, found, "live", "")


def _back(config: dict[str, Any], found: dict[str, Any], reason: str) -> None:
    systemd.stop(config["live_unit"])
    _name(config["root"], "current", found["from"])
    with contextlib.suppress(Stop):
        serve(config)
    _over(config, found, "failed", reason)


def _over(config: dict[str, Any], found: dict[str, Any], result: str, reason: str) -> None:
    down = None if found["stopped"] is None else round(time.time() - found["stopped"], 1)
    try:
        history.append(
            config["history"],
            who=config["who"],
            action=config["action"],
            settings=config["settings"],
            generation=found["to"],
            previous=found["from"],
            result=result,
            reason=reason,
            down_seconds=down,
        )
    except OSError as error:
        # What serves was decided: a log that can't be written must not undo that.
        print(f"{config['history']}: {error.strerror}; this switch is not in it", flush=True)
    os.unlink(config["transaction"])
    sync_folder(config["transaction"])


def settle(config: dict[str, Any]) -> None:
    """End what another process, a kill or a power cut left half done; never fails for it."""
    found = _under_way(config)
    if found is None:
        # A damaged file tells nobody anything, and would be found by every run to come.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(config["transaction"])
        return
    if found["flipped"] and named(config["root"], "current") == found["to"]:
        with contextlib.suppress(Stop):
            _confirm(config, found)
        return
    with contextlib.suppress(Stop):
        serve(config)
    _over(config, found, "failed", found["reason"] or UNFINISHED)


def _whole(config: dict[str, Any]) -> None:
    folder = os.path.join(config["root"], "generations", str(config["generation"]))
    for name in ("llama-server.service", "release/bin/llama-server", "model.gguf"):
        if not os.path.exists(os.path.join(folder, name)):
            raise Stop(f"generation {config['generation']} lacks its {name}; it can't serve again")


def main(path: str) -> int:
    """Serve the proven generation that the config names: a rollback."""
    config = read_json(path)
    _whole(config)
    begin(config)
    print(f"[1/2] generation {config['generation']} takes over", flush=True)
    go(config)
    print(f"[2/2] generation {config['generation']} answers", flush=True)
    return 0


def finish(path: str) -> int:
    """systemd's last words for this job, however it ended: what is proven serves."""
    config = read_json(path)
    settle(config)
    if os.path.exists(os.path.join(config["root"], "current")):
        systemd.start(config["live_unit"])
    return 0
