"""A table of nftables that is ours alone: loaded at boot, replaced in one transaction. Parts of
operations."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.context import host

from llamarig.paths import CONFIG, STATE
from llamarig.tasks import template
from llamarig.tasks.facts.firewall import FILE, LISTED, TABLE, UNIT, UNIT_PATH, Firewall
from llamarig.tasks.facts.text_file import TextFile
from llamarig.tasks.operations import text_file

PACKAGE = "nftables"
NFT = "/usr/sbin/nft"


def table(sources: Iterable[str], ports: Iterable[int]) -> str:
    """The text of the table that keeps all but these networks from these ports."""
    sources = list(sources)
    return template.compiled("llamarig-firewall.nft").render(
        ports=", ".join(map(str, sorted(ports))),
        v4=", ".join(each for each in sources if ":" not in each),
        v6=", ".join(each for each in sources if ":" in each),
    )


def unit() -> str:
    """The text of the unit that loads the table at boot."""
    return template.compiled(UNIT).render(file=FILE)


def have(text: str) -> Generator[PyinfraCommand, None, None]:
    """Have this table, now and after every boot. A text that nft refuses changes nothing."""
    known = host.get_fact(Firewall)
    loaded = known.unchanged
    if host.get_fact(TextFile, path=FILE) != text.rstrip("\n"):
        loaded = False
        yield StringCommand(f"install -d -m 755 {CONFIG} {STATE}")
        yield from text_file.put(f"{FILE}.new", text)
        # Without the list the table counts as not loaded, wherever this run ends.
        yield StringCommand(f"{NFT} -c -f {FILE}.new && rm -f {LISTED} && mv {FILE}.new {FILE}")
    if host.get_fact(TextFile, path=UNIT_PATH) != unit().rstrip("\n"):
        yield from text_file.put(UNIT_PATH, unit())
        yield StringCommand("systemctl daemon-reload")
    if not known.enabled:
        yield StringCommand(f"systemctl enable {UNIT}")
    if not loaded:
        yield StringCommand(f"systemctl restart {UNIT} && {NFT} list table {TABLE} >{LISTED}")


def gone() -> Generator[PyinfraCommand, None, None]:
    """Have no table of ours, no unit and no file."""
    known = host.get_fact(Firewall)
    if host.get_fact(TextFile, path=UNIT_PATH) is not None:
        yield StringCommand(f"systemctl disable --now {UNIT}")
        yield StringCommand(f"rm -f {UNIT_PATH} && systemctl daemon-reload")
    if known.table:
        yield StringCommand(f"{NFT} delete table {TABLE}")
    if known.table or host.get_fact(TextFile, path=FILE) is not None:
        yield StringCommand(f"rm -f {LISTED} {FILE}.new {FILE}")
