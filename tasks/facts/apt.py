"""What apt is told on a host: its sources, file by file, and the packages that are held."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase
from pyinfra.facts.apt import AptRepo, AptSources, AptSourcesFile, parse_apt_list_file

from llamarig.paths import STATE

# The packages that llamarig installed from NVIDIA's repository, a name a line.
OURS = f"{STATE}/cuda-packages"
FILE_MARK = "##PYINFRA_FILE "
HOLDS_MARK = "=== held"


@dataclass(frozen=True)
class Archive:
    """One archive and suite, and the file that names it."""

    file: str
    repo: AptRepo


class AptArchives(FactBase[list[Archive]]):
    """Every source of apt with the file it stands in; binary packages alone."""

    @staticmethod
    def default() -> list[Archive]:
        return []

    def command(self) -> str:
        return AptSources().command()

    def process(self, output: list[str]) -> list[Archive]:
        files: dict[str, list[str]] = {}
        for line in output:
            if line.startswith(FILE_MARK):
                files[line.removeprefix(FILE_MARK).strip()] = []
            elif files:
                list(files.values())[-1].append(line)
        return [
            Archive(name, repo)
            for name, lines in files.items()
            for repo in (
                AptSourcesFile.parse_sources_file(lines)
                if name.endswith(".sources")
                else parse_apt_list_file(lines)
            )
            if repo.type == "deb"
        ]


@dataclass(frozen=True)
class Holds:
    """ours: what llamarig installed from NVIDIA's repository; held: whatever apt holds."""

    ours: frozenset[str] = field(default_factory=frozenset)
    held: frozenset[str] = field(default_factory=frozenset)


class HeldPackages(FactBase[Holds]):
    """The packages that apt leaves as they are."""

    @staticmethod
    def default() -> Holds:
        return Holds()

    def command(self) -> str:
        return f"cat {OURS} 2>/dev/null; echo '{HOLDS_MARK}'; apt-mark showhold 2>/dev/null; true"

    def process(self, output: list[str]) -> Holds:
        at = output.index(HOLDS_MARK) if HOLDS_MARK in output else len(output)
        return Holds(frozenset(output[:at]), frozenset(output[at + 1 :]))
