"""The machine's own package configuration, read so that hosts can be given the same.

Nothing of the machine is changed. Only its distribution's own archives are taken over: a third
party's repository of the machine has no place on a bare host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal.shell import output

ETC = Path("/etc/apt")
# Index targets and the like describe what apt fetches, not how it gets there; a program that
# finds a proxy is not there in a host.
LEFT_OUT = re.compile(r"Acquire::(IndexTargets|Changelogs|cdrom|.*Proxy-?Auto-?Detect)", re.I)
ONE_LINE = re.compile(r"^(deb|deb-src)\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$")
FIELD = re.compile(r"^([A-Za-z-]+):\s*(.*)$")


@dataclass(frozen=True)
class Source:
    """One stanza of deb822, whatever it was written as."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        return dict(self.fields).get(name, "")

    def render(self) -> str:
        return "".join(f"{name}: {value}\n" for name, value in self.fields)


def parse_one_line(text: str) -> Iterator[Source]:
    """A `*.list` file."""
    for line in text.splitlines():
        match = ONE_LINE.match(line.split("#", 1)[0].strip())
        if match and match[1] == "deb":
            fields = [("Types", "deb"), ("URIs", match[3]), ("Suites", match[4]),
                      ("Components", match[5].strip())]  # fmt: skip
            names = {"arch": "Architectures", "signed-by": "Signed-By", "trusted": "Trusted"}
            for option in (match[2] or "").split():
                key, _, value = option.partition("=")
                if key in names:
                    fields.append((names[key], value.replace(",", " ")))
            yield Source(tuple(fields))


def parse_deb822(text: str) -> Iterator[Source]:
    """A `*.sources` file."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: list[tuple[str, str]] = []
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            match = FIELD.match(line)
            if match:
                fields.append((match[1], match[2].strip()))
            elif line[0] in " \t" and fields:  # a key written into the file, line by line
                name, value = fields[-1]
                fields[-1] = (name, f"{value}\n{line.rstrip()}")
        names = {name for name, _ in fields}
        enabled = dict(fields).get("Enabled", "yes").lower() not in ("no", "false", "0")
        if {"Types", "URIs", "Suites"} <= names and enabled:
            yield Source(tuple(field for field in fields if field[0] != "Enabled"))


def is_distribution(source: Source, codename: str) -> bool:
    """Whether it is an archive of the release itself and not somebody else's."""
    own = {codename, *(f"{codename}{end}" for end in ("-updates", "-security", "/updates"))}
    binary = "deb" in source.get("Types").split()
    main = "main" in source.get("Components").split()
    return binary and main and bool(own.intersection(source.get("Suites").split()))


def of_release(source: Source, own: str, wanted: str) -> Source:
    """A source of the machine's own release as one of another: the same archive and key."""
    suites = [
        wanted + suite.removeprefix(own)
        for suite in source.get("Suites").split()
        if re.fullmatch(rf"{re.escape(own)}([-/].*)?", suite)
    ]
    changed = {"Suites": " ".join(suites)}
    return Source(tuple((name, changed.get(name, value)) for name, value in source.fields))


def sources(codename: str, etc: Path = ETC, wanted: str | None = None) -> list[Source]:
    """The machine's sources of its own release, or the same archives' of the release `wanted`."""
    found: list[Source] = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            parse = parse_deb822 if path.suffix == ".sources" else parse_one_line
            found.extend(s for s in parse(path.read_text()) if is_distribution(s, codename))
    if not found:
        raise UserError(f"{etc} names no archive of {codename} to make hosts from")
    if wanted is None or wanted == codename:
        return found
    return [of_release(source, codename, wanted) for source in found]


def options(dump: str | None = None) -> list[str]:
    """How the machine's apt reaches its archives: proxies, certificates, what it checks."""
    text = output(["apt-config", "dump"]) if dump is None else dump
    lines = [line for line in text.splitlines() if line.startswith("Acquire::")]
    return [line for line in lines if not LEFT_OUT.match(line) and not line.endswith(' "";')]


def companions(found: list[Source], configured: list[str], etc: Path = ETC) -> list[Path]:
    """Files that a host needs beside sources and options: keyrings, logins, certificates."""
    named = [word for source in found for word in source.get("Signed-By").split()]
    named += re.findall(r'"(/etc/[^"]+)"', "\n".join(configured))
    paths = [Path(name) for name in named if name.startswith("/")]
    paths += [etc / "auth.conf", *sorted((etc / "auth.conf.d").glob("*.conf"))]
    return sorted({path for path in paths if path.is_file()})
