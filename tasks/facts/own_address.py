"""Under which address a host is reached from where the operator is."""

from __future__ import annotations

import ipaddress

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


class OwnAddress(FactBase[str | None]):
    """The host's end of the SSH connection, an IP address; None where there is no such connection,
    or one through a tunnel that ends on the host itself.

    Asked without sudo, which takes the variable away.
    """

    def command(self) -> str:
        return 'echo "$SSH_CONNECTION"'

    def process(self, output: list[str]) -> str | None:
        words = output[0].split() if output else []
        if len(words) != 4:
            return None
        try:
            found = ipaddress.ip_address(words[2])
        except ValueError:
            raise FactProcessError(f"SSH_CONNECTION names no address: {words[2]!r}") from None
        return None if found.is_loopback or found.is_unspecified else str(found)
