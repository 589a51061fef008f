"""The site's settings, validated once for the whole inventory, and what was resolved for it."""

from __future__ import annotations

from pathlib import Path

from pyinfra.api.exceptions import DeployError
from pyinfra.api.host import Host
from pyinfra.context import host, state

from llamarig import host_data
from llamarig.lockfile import Lockfile
from llamarig.settings import Settings
from llamarig.tasks import display_callback
from llamarig.tuned import Tuned

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
        found, lines = host_data.of_site(
            folder(), {each.name: (each.data.dict(), own(each)) for each in state.inventory}
        )
        if lines := lines + lockfile().faults():
            raise DeployError("\n    ".join(["nothing was changed:", *lines]))
        _settings.update(found)
    return _settings[host.name]


def settings_of(name: str) -> Settings | None:
    """Another host's settings; None before the current host's were asked for."""
    return _settings.get(name)


def choose(changed: Settings) -> None:
    """From here on the current host's settings are these: what `auto` came to on it."""
    _settings[host.name] = changed


def folder() -> Path:
    """The site: the folder that pyinfra was started in."""
    return Path(state.cwd or ".")


def own(of: Host) -> set[str]:
    """The keys that the inventory, or the command line, says of this host itself; they beat
    group_data and what was tuned."""
    return {*of.host_data, *state.inventory.get_override_data()}


def lockfile() -> Lockfile:
    """What earlier runs resolved."""
    return Lockfile(folder() / "llamarig.lock")


def tuned() -> Tuned:
    """What was tuned for the site's hosts."""
    return Tuned(folder())
