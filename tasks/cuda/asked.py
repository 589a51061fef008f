"""What a toolkit is chosen by, and what comes of it: a choice, or why there is none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llamarig.cuda import table
from llamarig.cuda.table import Distribution, Version
from llamarig.paths import CUDA
from llamarig.settings import Settings
from llamarig.tasks.facts.cuda_toolkits import Toolkit

Source = Literal["present", "nvidia", "pypi", "distro"]
NAMES: dict[Source, str] = {
    "present": "what is present",
    "nvidia": "NVIDIA's repository",
    "pypi": "PyPI's wheels",
    "distro": "the distribution's package",
}
# Folders by version, known before anything is installed; the distribution's is spread over /usr.
NVIDIA_HOME = "/usr/local/cuda-{0}.{1}"
PYPI_HOME = CUDA + "/{0}.{1}/nvidia/cu{0}"
DISTRO_HOME = "/usr"
NEEDS = "needs driver"
# Version and folder of a toolkit.
Live = tuple[Version, str]


@dataclass(frozen=True)
class Choice:
    """A toolkit: version "13.0", its folder, the g++ that nvcc is given, why it was taken."""

    source: Source
    version: str
    home: str
    compiler: str
    why: str

    @property
    def nvcc(self) -> str:
        return f"{self.home}/bin/nvcc"

    @property
    def compiler_package(self) -> str:
        """`g++-13` of /usr/bin/g++-13."""
        return self.compiler.rpartition("/")[2]


@dataclass(frozen=True)
class Unfit:
    """Why nothing can be taken: the setting that decides it, what was found, what mends it."""

    topic: str
    found: str
    fix: str
    # What alone stands in the way: the driver's branch, gcc's highest version; 0: it is not that.
    driver: int = 0
    gcc: int = 0

    def line(self) -> str:
        return f"{self.topic}: {self.found}; {self.fix}"


@dataclass(frozen=True)
class Asked:
    """All that a choice rests on. driver: the branch that is or will be there; 0: unknown.

    coming: it is not there yet, and the distribution's package is what llamarig would install.
    live: version and folder of the toolkit that the live release was built with, if its libraries
    are there.
    """

    settings: Settings
    here: Distribution
    glibc: Version
    toolkits: Sequence[Toolkit]
    driver: int
    coming: bool = False
    live: Live | None = None

    @property
    def pinned(self) -> Version | None:
        version = self.settings.cuda_version
        return table.parse(version) if version else None

    def problems(self, version: Version, *, own_package: bool = False) -> list[str]:
        """own_package: the distribution's, which is built for the distribution's glibc."""
        glibc = () if own_package else self.glibc
        gcc = table.host_gcc(self.here, version)
        found = table.problems(version, self.settings.cuda_architecture, gcc, glibc)
        least, _ = table.needed_driver(version)
        if 0 < self.driver < least:
            found.append(f"CUDA {table.text(version)} {NEEDS} {least} or later, not {self.driver}")
        return found

    def lacking(self, version: Version, found: Sequence[str]) -> tuple[int, int]:
        """The branch of the driver, or the g++, that would be all it takes; 0: more than that."""
        if found and all(NEEDS in each for each in found):
            return table.needed_driver(version)[0], 0
        if found and not self.here.known and all(table.NO_COMPILER in each for each in found):
            return 0, table.highest_gcc(version) or 0
        return 0, 0

    def choice(self, source: Source, version: Version, home: str) -> Choice:
        compiler = f"/usr/bin/g++-{table.host_gcc(self.here, version)}"
        return Choice(source, table.text(version), home.format(*version), compiler, "")
