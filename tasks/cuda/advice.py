"""What to set or run where a toolkit or a driver can't be had as asked. Pure."""

from __future__ import annotations

from llamarig.cuda.table import Distribution
from llamarig.settings import Settings


def keyring(here: Distribution) -> str:
    """How a sha256 that nobody has written down is had, and what that rests on."""
    return f"what `curl -fsSL {here.keyring_url} | sha256sum` prints, which trusts this download"


def by_hand(settings: Settings) -> str:
    """cuda_home counts with the sources auto and present alone."""
    also = "" if settings.cuda_source in ("auto", "present") else ' and cuda_source = "present"'
    return f"install a CUDA toolkit that fits by hand, then set cuda_home{also}"


def nvidia_source(settings: Settings, here: Distribution) -> str:
    """The setting that takes driver and toolkit from NVIDIA, with all that it needs."""
    known = settings.cuda_keyring_sha256 or here.keyring_sha256
    also = "" if known else f" and cuda_keyring_sha256 to {keyring(here)}"
    return f'set cuda_source = "nvidia"{also}'


def unserved(settings: Settings, here: Distribution) -> bool:
    """Whether the distribution would be asked for a driver that it does not have."""
    if settings.cuda_source == "nvidia" and here.folder:
        return False
    return here.driver is None or not here.driver.serving(settings.cuda_architecture)


def driver(settings: Settings, here: Distribution) -> str:
    """How a driver for the card comes to a host that has none."""
    if not unserved(settings, here):
        return 'set driver = "install"'
    if not here.folder:
        return "install NVIDIA's driver by hand"
    if settings.driver == "install":
        return nvidia_source(settings, here)
    return f'set driver = "install", and {nvidia_source(settings, here)}'
