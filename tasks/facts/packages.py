"""Packages of apt that llamarig installed, and what apt would do to remove some."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from llamarig.paths import PACKAGES
from llamarig.tasks.facts.sections import MARK, split

FAILED = "=== failed"
# dpkg's states of a package of which nothing is left on the host.
_GONE = ("not-installed", "")


@dataclass(frozen=True)
class OwnPackages:
    """sizes: the packages that llamarig installed and that are there, and their bytes as dpkg
    knows them; held: those of all packages that apt is told to keep; interrupted: dpkg was killed
    at work, and apt refuses everything until it is made to finish."""

    sizes: tuple[tuple[str, int], ...] = ()
    held: frozenset[str] = frozenset()
    interrupted: bool = False

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.sizes]


class RecordedPackages(FactBase[OwnPackages]):
    """What was written down, as far as dpkg still has it."""

    @staticmethod
    def default() -> OwnPackages:
        return OwnPackages()

    def command(self) -> str:
        return (
            f"if [ -s {PACKAGES} ] && command -v dpkg-query >/dev/null; then cat {PACKAGES}; "
            f"echo {MARK}; dpkg --print-architecture; dpkg-query -W -f "
            "'${Package} ${Architecture} ${db:Status-Status} ${Installed-Size}\\n'; "
            f"echo {MARK}; apt-mark showhold 2>/dev/null; echo {MARK}; ls /var/lib/dpkg/updates; "
            "fi; true"
        )

    def process(self, output: list[str]) -> OwnPackages:
        sections = split(output)
        if len(sections) != 4 or not sections[1]:
            return OwnPackages()
        recorded, (native, *known), held, updates = sections
        sizes = {}
        for line in known:
            name, architecture, state, kilobytes = (line.split(" ") + [""] * 3)[:4]
            if state in _GONE:
                continue
            if architecture not in (native, "all"):
                name = f"{name}:{architecture}"
            sizes[name] = int(kilobytes) * 1024 if kilobytes.isdigit() else 0
        ours = sorted({name for name in recorded if name in sizes})
        found = tuple((name, sizes[name]) for name in ours)
        return OwnPackages(found, frozenset(held), bool(updates))


def purge(names: Sequence[str], *options: str) -> str:
    """apt-get's line that removes exactly these packages with their configuration."""
    argv = ["apt-get", "-q", "-o", "APT::Get::AutomaticRemove=false"]
    argv += ["--allow-change-held-packages", *options, "purge", "--", *names]
    return f"LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 {shlex.join(argv)}"


class Purged(FactBase[frozenset[str] | None]):
    """What apt would remove for these packages, themselves included, a package that it would
    install in their place as `+NAME`; None: it would refuse."""

    def command(self, names: Sequence[str]) -> str:
        # Whoever else is at work with apt does not keep it from telling.
        return f"{purge(names, '-s', '-o', 'Debug::NoLocking=1')} 2>/dev/null || echo '{FAILED}'"

    def process(self, output: list[str]) -> frozenset[str] | None:
        if FAILED in output:
            return None
        found = set()
        for line in output:
            if step := re.match(r"(Purg|Remv|Inst) (\S+)", line):
                found.add(f"+{step[2]}" if step[1] == "Inst" else step[2])
        return frozenset(found)
