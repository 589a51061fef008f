"""The server's certificate and key: there, a pair, and valid today."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning

if TYPE_CHECKING:
    from llamarig.settings import Settings, TlsFiles
    from llamarig.tasks.facts.tls import TlsState
    from llamarig.tasks.facts.workstation import Workstation

DAY_SECONDS = 86400
# Time enough to get another one.
WARN_DAYS = 14


def files(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The first thing that keeps llama-server from serving with them; then how long they last."""
    if settings.tls is None or seen.tls is None:
        return
    wrong = list(_missing(seen.tls, settings.tls))
    if not wrong and not seen.tls.checked:
        found = "nothing on the host can read certificates"
        yield warning("tls", found, "apt-get install openssl, then llamarig doctor")
        return
    wrong = wrong or list(_unfit(seen.tls, settings.tls))
    yield from wrong or _age(seen.tls, settings.tls)


def _missing(found: TlsState, tls: TlsFiles) -> Iterator[Finding]:
    if not found.cert:
        yield blocker("tls", f"{tls.cert} is no file of this host", "put the certificate there")
    if not found.key:
        yield blocker("tls", f"{tls.key} is no file of this host", "put the private key there")


def _unfit(found: TlsState, tls: TlsFiles) -> Iterator[Finding]:
    if found.ends is None:
        fix = "put a PEM file there, the server's own certificate first, then its chain"
        yield blocker("tls", f"{tls.cert} is no certificate in PEM", fix)
    if found.encrypted:
        fix = f"openssl pkey -in {tls.key} -out FILE makes a key without one; chmod 600 FILE"
        yield blocker("tls", f"{tls.key} asks for a passphrase, which nobody is there to give", fix)
    elif not found.private:
        yield blocker("tls", f"{tls.key} is no private key in PEM", "put a PEM file there")
    elif found.ends is not None and not found.match:
        line = f"the key {tls.key} does not belong to the certificate {tls.cert}"
        yield blocker("tls", line, "put the pair there that was made together")


def _age(found: TlsState, tls: TlsFiles) -> Iterator[Finding]:
    begins, ends = found.begins or 0.0, found.ends or 0.0
    if found.now >= ends:
        yield blocker("tls", f"{tls.cert} expired on {_day(ends)}", "renew it")
    elif found.now < begins:
        line = f"{tls.cert} is valid from {_day(begins)} on, and the host's clock says"
        fix = "timedatectl shows whether the clock is right"
        yield blocker("tls", f"{line} {_day(found.now)}", fix)
    elif ends - found.now < WARN_DAYS * DAY_SECONDS:
        yield warning("tls", f"{tls.cert} expires on {_day(ends)}", "renew it, then llamarig up")
    else:
        yield ok("tls", f"{tls.cert} and its key, valid until {_day(ends)}")


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


RULES: tuple[Rule, ...] = (files,)
