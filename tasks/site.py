"""The site's settings, validated once for the whole inventory, and what was resolved for it."""

from __future__ import annotations

from pathlib import Path

from pyinfra.api.exceptions import DeployError
from pyinfra.context import host, state

from llamarig.host_data import read
from llamarig.lockfile import Lockfile
from llamarig.settings import Settings
from llamarig.tasks import display_callback

_settings: dict[str, Settings] = {}


def settings() -> Settings:
    """The current host's settings.

    Raises:
        DeployError: preflight does not come first, or settings or llamarig.lock are wrong; it
        has a line for each fault.
    """
    if not display_callback.registered(state):
        raise DeployError("nothing was changed: preflight.check() is to come first in deploy.py")
    if not _settings:
        found, faults = read({each.name: each.data.dict() for each in state.inventory})
        lines = [fault.line() for fault in faults] + lockfile().faults()
        if lines:
            raise DeployError("\n    ".join(["nothing was changed:", *lines]))
        _settings.update(found)
    return _settings[host.name]


def choose(changed: Settings) -> None:
    """From here on the current host's settings are these: what `auto` came to on it."""
    _settings[host.name] = changed


def lockfile() -> Lockfile:
    """What earlier runs resolved; it lies in the folder that pyinfra was started in."""
    return Lockfile(Path(state.cwd or ".") / "llamarig.lock")
