"""What each source of a CUDA toolkit could give a host, or why it can't. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

    def line(self) -> str:
        return f"{self.topic}: {self.found}; {self.fix}"


@dataclass(frozen=True)
class Asked:
    """All that a choice rests on. driver: the branch that is or will be there; 0: unknown."""

    settings: Settings
    here: Distribution
    glibc: Version
    toolkits: Sequence[Toolkit]
    driver: int

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

    def choice(self, source: Source, version: Version, home: str) -> Choice:
        compiler = f"/usr/bin/g++-{table.host_gcc(self.here, version)}"
        return Choice(source, table.text(version), home.format(*version), compiler, "")


def present(asked: Asked) -> Choice | Unfit:
    """Of several that fit, the one that suits the distribution best, then the newest."""
    named = asked.settings.cuda_home
    seen = [each for each in asked.toolkits if not named or named in (each.home, *each.found_as)]
    topic = "cuda_home" if named else "cuda_source"
    if not seen:
        where = f"in {named}" if named else "on the host"
        return Unfit(topic, f"no CUDA toolkit {where}", "set cuda_home to where one is")
    faults = {each.home: list(_faults(asked, each)) for each in seen}
    fitting = [each for each in seen if not faults[each.home]]
    if not fitting:
        told = ", ".join(f"{home} {' and '.join(found)}" for home, found in faults.items())
        return Unfit(topic, told, "repair it, or set cuda_home to another")
    best = list(asked.here.recommended)

    def rank(each: Toolkit) -> tuple[bool, int, Version]:
        listed = each.version in best
        return listed, -best.index(each.version) if listed else 0, each.version

    taken = max(fitting, key=rank)
    return asked.choice("present", taken.version, taken.home)


def _faults(asked: Asked, toolkit: Toolkit) -> Iterator[str]:
    if not toolkit.complete:
        yield f"lacks {', '.join(toolkit.missing)}"
    if not toolkit.version:
        return
    if asked.pinned and toolkit.version != asked.pinned:
        yield f"is {table.text(toolkit.version)}, not {asked.settings.cuda_version}"
    own = toolkit.home == DISTRO_HOME and toolkit.version == asked.here.packaged
    if found := asked.problems(toolkit.version, own_package=own):
        yield f"does not fit ({', '.join(found)})"


def nvidia(asked: Asked) -> Choice | Unfit:
    """The pinned release, else the first recommended one that fits."""
    here, settings = asked.here, asked.settings
    if here.folder is None:
        return Unfit("cuda_source", f"it has nothing for {here}", 'set cuda_source to "present"')
    if not (settings.cuda_keyring_sha256 or here.keyring_sha256):
        return Unfit(
            "cuda_keyring_sha256",
            f"the sha256 of its keyring for {here} is not known",
            f"set it to that of {here.keyring_url}",
        )
    candidates = [asked.pinned] if asked.pinned else list(here.recommended)
    return _first(asked, "nvidia", candidates, NVIDIA_HOME)


def pypi(asked: Asked) -> Choice | Unfit:
    """The pinned release, else the first that PyPI has whole and that fits."""
    whole = list(table.wheels())
    if asked.pinned and asked.pinned not in whole:
        known = ", ".join(map(table.text, whole))
        return Unfit(
            "cuda_version",
            f"no whole {asked.settings.cuda_version} that llamarig knows, {known} alone",
            "set one of these, or another cuda_source",
        )
    return _first(asked, "pypi", [asked.pinned] if asked.pinned else whole, PYPI_HOME)


def distro(asked: Asked) -> Choice | Unfit:
    """The distribution's own package, whatever its release is."""
    packaged = asked.here.packaged
    if packaged is None:
        fix = 'set cuda_source to "present"'
        return Unfit("cuda_source", f"that of {asked.here} is not known to llamarig", fix)
    if asked.pinned and asked.pinned != packaged:
        return Unfit(
            "cuda_version",
            f"{asked.here} has {table.text(packaged)}, not {asked.settings.cuda_version}",
            f'set it to "{table.text(packaged)}", or set another cuda_source',
        )
    return _first(asked, "distro", [packaged], DISTRO_HOME)


def _first(
    asked: Asked, source: Source, candidates: Sequence[Version], home: str
) -> Choice | Unfit:
    """The first candidate that fits."""
    told: list[str] = []
    for version in candidates:
        found = asked.problems(version, own_package=source == "distro")
        if not found:
            return asked.choice(source, version, home)
        told += [each for each in found if each not in told]
    topic = "cuda_version" if asked.pinned else "cuda_source"
    upgrade = "upgrade the driver, or " if any(NEEDS in each for each in told) else ""
    return Unfit(topic, ", ".join(told), f"{upgrade}set another {topic}")


# In auto's order.
LOOK: dict[Source, Callable[[Asked], Choice | Unfit]] = {
    "present": present,
    "nvidia": nvidia,
    "pypi": pypi,
    "distro": distro,
}
