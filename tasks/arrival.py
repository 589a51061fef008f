"""How every story begins on a host."""

from __future__ import annotations

from pyinfra.context import ctx_host, host, state

from llamarig import connection
from llamarig.settings import Settings
from llamarig.tasks import display_callback, looking, part, site, sudo


def arrive() -> Settings:
    """Show the run, check all settings, bound the connection, become root or refuse the host."""
    display_callback.register(state)
    settings = site.settings()
    connection.harden(host)
    if part.looks():
        looking.once(ctx_host.get())
    sudo.become_root(settings)
    return settings
