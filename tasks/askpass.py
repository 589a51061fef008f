"""The password of sudo, lent to a host for as long as this run lasts."""

from __future__ import annotations

from pyinfra.api.host import Host

from llamarig import connection

# Marks a password that sudo reads through our askpass program; pyinfra puts it where everybody
# can read it, so it must not be the password.
NOT_THE_PASSWORD = "held-by-askpass"

SCRIPT = r"""
umask 077
d=$(mktemp -d "${XDG_RUNTIME_DIR:-/tmp}/llamarig-sudo-XXXXXXXXXX") || exit 1
trap 'rm -rf "$d"' EXIT HUP TERM INT
IFS= read -r password
printf '%s\n' "$password" >"$d/password"
printf '#!/bin/sh\ncat "%s/password"\n' "$d" >"$d/askpass"
chmod 700 "$d/askpass"
echo "$d/askpass"
while read -r -t 60 _; do :; done
"""


def lend(host: Host, password: str) -> None:
    """Let pyinfra's sudo read the password from a 0600 file that goes when we go.

    pyinfra would put the password into the command line of `env`, which every user of the host
    can read. It finds our askpass program where it keeps its own, and passes a placeholder.
    """
    held = connection.hold(host, SCRIPT)
    held.send(password)
    path = held.first_line()
    if not path.startswith("/"):
        raise OSError("the host would not keep the sudo password in a private file")
    held.keep(20.0)
    host.connector_data[f"sudo_askpass_path__{host.get_temp_dir_config()}"] = path
    host.connector_data["prompted_sudo_password"] = NOT_THE_PASSWORD
