"""The one thing that would let a toolkit in, where there is one. Pure."""

from __future__ import annotations

from dataclasses import replace

from llamarig.tasks.cuda import advice
from llamarig.tasks.cuda.asked import Asked, Choice, Unfit
from llamarig.tasks.cuda.sources import distro, nvidia


def mended(asked: Asked, unfit: Unfit) -> Unfit:
    """With the driver or the g++ that would do, before what else would."""
    if unfit.driver and asked.coming:
        # Nobody can upgrade what is not there yet.
        other = _other_source(asked)
        return replace(unfit, fix=other) if other else unfit
    if unfit.driver:
        return _first(unfit, f"upgrade the driver to {unfit.driver} or later")
    if unfit.gcc:
        return _first(unfit, f"apt install g++-{unfit.gcc}, or the newest before it")
    return unfit


def with_keyring(asked: Asked, unfit: Unfit) -> Unfit:
    """auto passes NVIDIA's repository over where nobody has written down its keyring's sha256."""
    found = nvidia(asked)
    if isinstance(found, Choice) or found.topic != "cuda_keyring_sha256" or not _trusted(asked):
        return unfit
    return _first(unfit, f"set cuda_keyring_sha256 to {advice.keyring(asked.here)}")


def _first(unfit: Unfit, fix: str) -> Unfit:
    return replace(unfit, fix=f"{fix}; or {unfit.fix}")


def _trusted(asked: Asked) -> bool:
    """Whether NVIDIA's repository would do if its keyring were known."""
    here = replace(asked.here, keyring_sha256="known")
    return isinstance(nvidia(replace(asked, here=here)), Choice)


def _other_source(asked: Asked) -> str:
    """The source that goes with a driver which llamarig can install; empty: there is none."""
    if asked.settings.cuda_source != "distro" and isinstance(distro(asked), Choice):
        return 'set cuda_source = "distro"'
    # With NVIDIA's toolkit comes NVIDIA's driver, the newest.
    fits = _trusted(replace(asked, driver=0))
    return advice.nvidia_source(asked.settings, asked.here) if fits else ""
