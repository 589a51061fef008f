"""What goes with what: CUDA releases, architectures, gcc, glibc, drivers, distributions. Pure.

The figures and their sources are data, in compatibility.yaml beside this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

Version = tuple[int, ...]
# How `problems` says that a release has no compiler.
NO_COMPILER = "no g++ that"
# Blackwell and later run with the open kernel modules alone.
FIRST_OPEN_ONLY = 100
REPOSITORY = "https://developer.download.nvidia.com/compute/cuda/repos"


@dataclass(frozen=True)
class DriverPackage:
    """A distribution's driver: its branch (535), its packages, the archive's components.

    open_packages: those with the open kernel modules, which cards from sm_100 on need; empty where
    the branch does not know such cards.
    """

    branch: int
    packages: tuple[str, ...]
    open_packages: tuple[str, ...]
    components: tuple[str, ...]

    def serving(self, architecture: int) -> tuple[str, ...]:
        """The packages for a card; empty: there are none."""
        return self.open_packages if architecture >= FIRST_OPEN_ONLY else self.packages


@dataclass(frozen=True)
class Distribution:
    """One release of a distribution. Empty and None: not known, not there.

    gcc: majors that it packages, the preferred one first. recommended: NVIDIA's releases that suit
    it, the first is preferred. packaged: the release of its own nvidia-cuda-toolkit, which needs
    the archive's `components`; libraries: its packages of that release's shared libraries.
    """

    name: str
    version: str
    gcc: tuple[int, ...] = ()
    folder: str | None = None
    keyring_sha256: str | None = None
    recommended: tuple[Version, ...] = ()
    packaged: Version | None = None
    components: tuple[str, ...] = ()
    driver: DriverPackage | None = None
    libraries: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.name:
            return "a distribution without a name"
        return f"{self.name.capitalize()} {self.version or 'without a version'}"

    @property
    def known(self) -> bool:
        """Whether the table has it; of another the host's own compilers are all that is known."""
        return distribution(self.name, self.version) is not None

    @property
    def keyring_url(self) -> str | None:
        """The package that makes apt trust NVIDIA's repository."""
        name = _data()["nvidia"]["keyring"]
        return f"{REPOSITORY}/{self.folder}/x86_64/{name}" if self.folder else None


def parse(text: str) -> Version:
    """ "13.0" -> (13, 0)."""
    return tuple(int(part) for part in text.split("."))


def text(version: Version) -> str:
    return ".".join(str(part) for part in version)


@cache
def _data() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(
        files("llamarig.cuda").joinpath("compatibility.yaml").read_text(encoding="utf-8")
    )
    return read


def _holds(entry: dict[str, Any], version: Version) -> bool:
    before = entry.get("before")
    return parse(entry["from"]) <= version and not (before and version >= parse(before))


def _latest(entries: Iterable[dict[str, Any]], version: Version) -> dict[str, Any] | None:
    """The last entry that a version has reached; entries are in ascending order."""
    reached = [entry for entry in entries if parse(entry["from"]) <= version]
    return reached[-1] if reached else None


def highest_gcc(version: Version) -> int | None:
    """Major version of the newest gcc that nvcc accepts; None: the release is too old to know."""
    found = _latest(_data()["highest_gcc"], version)
    return int(found["gcc"]) if found else None


def needed_driver(version: Version) -> tuple[int, int]:
    """(minimum, recommended) driver branch; (0, 0) for a release that is too old to know."""
    minimum = _latest(_data()["minimum_driver"], version)
    recommended = _latest(_data()["recommended_driver"], version)
    least = int(minimum["driver"]) if minimum else 0
    return least, max(least, int(recommended["driver"]) if recommended else 0)


def problems(
    version: Version, architecture: int, gcc: int | None, glibc: Version = ()
) -> list[str]:
    """Why this release can't build for this architecture with this gcc and glibc, a phrase each.

    gcc None: there is none to use. glibc empty: not to be judged.
    """
    release = f"CUDA {text(version)}"
    found = [f"{release} {each['reason']}" for each in _data()["broken"] if _holds(each, version)]
    highest = highest_gcc(version)
    if highest is None:
        found.append(f"{release} is older than any that llamarig knows")
    elif gcc is None:
        found.append(f"{NO_COMPILER} {release} accepts (at most {highest})")
    elif gcc > highest:
        found.append(f"{release} accepts gcc {highest} at most, not {gcc}")
    found += _architecture_problems(version, architecture)
    for each in _data()["glibc"]:
        if glibc and _holds(each, version) and glibc >= parse(each["clashes"]):
            found.append(f"{release}'s headers clash with glibc {text(glibc)}")
    return found


def _architecture_problems(version: Version, architecture: int) -> list[str]:
    listed = [each for each in _data()["architectures"] if each["sm"] <= architecture]
    if not listed:
        return [f"sm_{architecture} is older than any that llamarig knows"]
    entry = listed[-1]
    if version < parse(entry["from"]):
        needed = entry["from"]
        return [f"CUDA {text(version)} does not know sm_{architecture}, {needed} or later does"]
    if not _holds(entry, version):
        return [f"CUDA {entry['before']} and later dropped sm_{architecture}"]
    return []


@cache
def distribution(name: str, version: str) -> Distribution | None:
    """A distribution by os-release's ID and VERSION_ID; None where llamarig knows nothing of it."""
    for each in _data()["distributions"]:
        if (each["name"], each["version"]) == (name, version):
            driver = each["driver"]
            return Distribution(
                name,
                version,
                tuple(each["gcc"]),
                each["folder"],
                each["keyring_sha256"],
                tuple(parse(release) for release in each["recommended"]),
                parse(each["packaged"]),
                tuple(each["components"]),
                DriverPackage(
                    driver["branch"],
                    tuple(driver["packages"]),
                    tuple(driver["open_packages"]),
                    tuple(driver["components"]),
                ),
                tuple(each["libraries"]),
            )
    return None


def host_gcc(here: Distribution, version: Version) -> int | None:
    """The gcc that nvcc of this release gets on this distribution; the same on every run."""
    highest = highest_gcc(version)
    return next((each for each in here.gcc if highest is not None and each <= highest), None)


def recommended(here: Distribution, architecture: int, glibc: Version = ()) -> list[Version]:
    """NVIDIA's releases that suit the distribution and the architecture, the best first."""
    return [
        each
        for each in here.recommended
        if not problems(each, architecture, host_gcc(here, each), glibc)
    ]


def nvidia_packages(version: Version) -> list[str]:
    """What llama.cpp's build needs of NVIDIA's repository, and no driver."""
    return [
        name.format(*version)
        for each in _data()["nvidia"]["packages"]
        if _holds(each, version)
        for name in each["names"]
    ]


def nvidia_libraries(version: Version) -> list[str]:
    """What a release that was built elsewhere needs of NVIDIA's repository."""
    return [name.format(*version) for name in _data()["nvidia"]["libraries"]["names"]]


def wheels() -> dict[Version, list[str]]:
    """Releases that PyPI has whole, each with its pinned wheels."""
    return {parse(each["cuda"]): list(each["wheels"]) for each in _data()["pypi"]}


def library_wheels() -> dict[Version, list[str]]:
    """Of each of these, the wheels that a release needs which was built elsewhere."""
    return {parse(each["cuda"]): list(each["libraries"]) for each in _data()["pypi"]}


def driver_symbols() -> list[str]:
    """The functions of libcuda.so.1 that llama.cpp's CUDA backend calls."""
    return list(_data()["driver_symbols"]["names"])
