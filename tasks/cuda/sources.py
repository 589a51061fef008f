"""What each source of a CUDA toolkit could give a host, or why it can't. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from llamarig.cuda import table
from llamarig.cuda.table import Version
from llamarig.tasks.cuda import advice
from llamarig.tasks.cuda.asked import (
    DISTRO_HOME,
    NAMES,
    NVIDIA_HOME,
    PYPI_HOME,
    Asked,
    Choice,
    Live,
    Source,
    Unfit,
)
from llamarig.tasks.facts.cuda_toolkits import Toolkit

__all__ = ["DISTRO_HOME", "LOOK", "NAMES", "Asked", "Choice", "Live", "Source", "Unfit"]

# Why a choice was made.
LIVE = "the live release was built with it"


def present(asked: Asked) -> Choice | Unfit:
    """Of several that fit, the one that suits the distribution best, then the newest."""
    named = asked.settings.cuda_home
    seen = [each for each in asked.toolkits if not named or named in (each.home, *each.found_as)]
    topic = "cuda_home" if named else "cuda_source"
    if not seen:
        if named:
            return Unfit(topic, f"no CUDA toolkit in {named}", "set cuda_home to where one is")
        fix = f'{advice.by_hand(asked.settings)}; or set cuda_source = "auto"'
        return Unfit(topic, "no CUDA toolkit on the host", fix)
    faults = {each.home: list(_faults(asked, each)) for each in seen}
    fitting = [each for each in seen if not faults[each.home]]
    if not fitting:
        said = ", ".join(f"{home} {' and '.join(found)}" for home, found in faults.items())
        alone = [asked.lacking(each.version, list(_problems(asked, each))) for each in seen]
        needed = [
            lacking
            for each, lacking in zip(seen, alone, strict=True)
            if len(faults[each.home]) == 1 and each.complete
        ]
        told = Unfit(topic, said, "repair it, or set cuda_home to another")
        return _lacking(told, needed)
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
    if found := _problems(asked, toolkit):
        yield f"does not fit ({', '.join(found)})"


def _problems(asked: Asked, toolkit: Toolkit) -> list[str]:
    if not toolkit.version:
        return []
    own = toolkit.home == DISTRO_HOME and toolkit.version == asked.here.packaged
    return asked.problems(toolkit.version, own_package=own)


def nvidia(asked: Asked) -> Choice | Unfit:
    """The pinned release, else the first recommended one that fits."""
    here, settings = asked.here, asked.settings
    if here.folder is None:
        return Unfit("cuda_source", f"it has nothing for {here}", advice.by_hand(settings))
    if not (settings.cuda_keyring_sha256 or here.keyring_sha256):
        return Unfit(
            "cuda_keyring_sha256",
            f"the sha256 of its keyring for {here} is not known",
            f"set it to {advice.keyring(here)}",
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
        found = f"that of {asked.here} is not known to llamarig"
        return Unfit("cuda_source", found, advice.by_hand(asked.settings))
    if asked.pinned and asked.pinned != packaged:
        return Unfit(
            "cuda_version",
            f"{asked.here} has {table.text(packaged)}, not {asked.settings.cuda_version}",
            f'set it to "{table.text(packaged)}", or set another cuda_source',
        )
    return _first(asked, "distro", [packaged], DISTRO_HOME)


def live(asked: Asked) -> Choice | None:
    """That of the live release, whose libraries are there, if its source still gives it. Else a
    host without a toolkit would get another release when a source is silent or a better version
    known, and a host with several another one than its like."""
    if asked.live is None or asked.settings.cuda_home:
        return None
    version, home = asked.live
    if asked.pinned not in (None, version):
        return None
    if any(each.home == home and not list(_faults(asked, each)) for each in asked.toolkits):
        return replace(asked.choice("present", version, home), why=LIVE)
    settings = asked.settings.model_copy(update={"cuda_version": table.text(version)})
    for look in (nvidia, pypi, distro):
        found = look(replace(asked, settings=settings))
        if isinstance(found, Choice) and found.home == home:
            return replace(found, why=LIVE)
    return None


def _first(
    asked: Asked, source: Source, candidates: Sequence[Version], home: str
) -> Choice | Unfit:
    """The first candidate that fits."""
    told: list[str] = []
    needed = []
    for version in candidates:
        found = asked.problems(version, own_package=source == "distro")
        if not found:
            return asked.choice(source, version, home)
        told += [each for each in found if each not in told]
        needed.append(asked.lacking(version, found))
    topic = "cuda_version" if asked.pinned else "cuda_source"
    return _lacking(Unfit(topic, ", ".join(told), f"set another {topic}"), needed)


def _lacking(unfit: Unfit, needed: Sequence[tuple[int, int]]) -> Unfit:
    """With the lowest driver, and the highest g++, that would let one of the candidates in."""
    drivers = [driver for driver, _ in needed if driver]
    return replace(
        unfit, driver=min(drivers, default=0), gcc=max((g for _, g in needed), default=0)
    )


# In auto's order.
LOOK: dict[Source, Callable[[Asked], Choice | Unfit]] = {
    "present": present,
    "nvidia": nvidia,
    "pypi": pypi,
    "distro": distro,
}
