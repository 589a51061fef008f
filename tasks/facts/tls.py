"""The server's certificate and private key on a host, as openssl reads them."""

from __future__ import annotations

import shlex
import ssl
from dataclasses import dataclass
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

# The key itself is never printed: only whether its public half is the certificate's.
SCRIPT = r"""
cert=$1 key=$2
ssl() { timeout 10 openssl "$@" </dev/null 2>/dev/null; }
is() { [ -f "$1" ] && echo yes || echo no; }
echo "cert=$(is "$cert")"
echo "key=$(is "$key")"
echo "now=$(date +%s)"
command -v openssl >/dev/null || exit 0
echo "openssl=yes"
[ -f "$cert" ] && ssl x509 -inform PEM -in "$cert" -noout -startdate -enddate
[ -f "$key" ] && grep -q ENCRYPTED "$key" && echo "encrypted=yes"
theirs=$(ssl x509 -inform PEM -in "$cert" -noout -pubkey)
own=$(ssl pkey -inform PEM -in "$key" -passin pass: -pubout)
[ -n "$own" ] && echo "private=yes"
[ -n "$own" ] && [ "$own" = "$theirs" ] && echo "match=yes"
true
"""


@dataclass(frozen=True)
class TlsState:
    """cert, key: the files are there; checked: openssl was there to read them; begins, ends: of
    the certificate, None where it is none; private: the key is one that opens without a
    passphrase; encrypted: it asks for one; match: it is the certificate's; now: the host's clock.
    Times in seconds since the epoch."""

    cert: bool
    key: bool
    checked: bool
    begins: float | None
    ends: float | None
    private: bool
    encrypted: bool
    match: bool
    now: float


class Tls(FactBase[TlsState | None]):
    """Read as root, as systemd will. None: nothing was asked."""

    def command(self, files: dict[str, Any] | None = None) -> str:
        if not files:
            return "true"
        cert, key = shlex.quote(files["cert"]), shlex.quote(files["key"])
        return f"sh -c {shlex.quote(SCRIPT)} sh {cert} {key}"

    def process(self, output: list[str]) -> TlsState | None:
        said = dict(line.split("=", 1) for line in output if "=" in line)
        if not said:
            return None
        try:
            return TlsState(
                cert=said.get("cert") == "yes",
                key=said.get("key") == "yes",
                checked="openssl" in said,
                begins=_time(said.get("notBefore")),
                ends=_time(said.get("notAfter")),
                private="private" in said,
                encrypted="encrypted" in said,
                match="match" in said,
                now=float(said["now"]),
            )
        except (KeyError, ValueError) as error:
            raise FactProcessError(f"a certificate is not readable: {error}") from None


def _time(text: str | None) -> float | None:
    """Such as "Jan  5 09:34:43 2030 GMT"."""
    return float(ssl.cert_time_to_seconds(text)) if text else None
