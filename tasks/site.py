"""The site's settings, validated once for the whole inventory, and what was resolved for it."""

from __future__ import annotations

from pathlib import Path

from pyinfra.api.exceptions import DeployError
from pyinfra.context import host, state

from llamarig.lockfile import Lockfile
from llamarig.settings import Settings, read

_settings: dict[str, Settings] = {}


def settings() -> Settings:
    """The current host's settings.

    Raises:
        DeployError: some host's settings are wrong; every fault has been printed, one a line.
    """
    if not _settings:
        found, faults = read({each.name: each.data.dict() for each in state.inventory})
        if faults:
            lines = "\n".join(f"    {fault.line()}" for fault in faults)
            count = f"{len(faults)} setting{'s are' if len(faults) > 1 else ' is'}"
            raise DeployError(f"{count} wrong, nothing was changed:\n{lines}")
        _settings.update(found)
    return _settings[host.name]


def lockfile() -> Lockfile:
    """What earlier runs resolved; it lies in the folder that pyinfra was started in."""
    return Lockfile(Path(state.cwd or ".") / "llamarig.lock")
