"""NVIDIA's package repository: trusted by a keyring whose sha256 is known, used for little."""

from __future__ import annotations

from collections.abc import Generator
from importlib.resources import files as package_files

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state
from pyinfra.facts.deb import DebPackages

from llamarig.cuda.table import Distribution
from llamarig.paths import PACKAGES, STAGING
from llamarig.settings import Settings
from llamarig.tasks.cuda import advice
from llamarig.tasks.operations import jobs, records, text_file
from llamarig.tasks.operations.outcome import failure

KEYRING = "cuda-keyring"
KEYRING_SECONDS = 600
# The keyring's own preferences raise everything of NVIDIA's above the distribution; the driver
# must stay the one that the owner chose.
PIN = "/etc/apt/preferences.d/llamarig-cuda.pref"
PIN_TEXT = """\
# Written by llamarig: NVIDIA's repository is here for the CUDA toolkit, not for the driver.
Package: nvidia-* libnvidia-* cuda-drivers* xserver-xorg-video-nvidia*
Pin: origin developer.download.nvidia.com
Pin-Priority: -1
"""


def script(name: str, *arguments: str) -> list[str]:
    """The argv that runs a script of ours with these arguments."""
    text = package_files("llamarig.templates").joinpath(name).read_text()
    return ["/bin/sh", "-euc", text, name, *arguments]


def spec(url: str, sha256: str) -> jobs.Spec:
    env = {"HOME": "/root", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    argv = script("cuda-keyring.sh", url, sha256, f"{STAGING}/{KEYRING}.deb")
    return jobs.Spec(
        name="cuda-keyring",
        title="NVIDIA's keyring",
        unit="steps",
        stages=[jobs.Stage("keyring", argv, KEYRING_SECONDS, env)],
    )


@operation()
def trust(here: Distribution, settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have NVIDIA's keyring, which brings its source along.

    A repository that the owner trusts already is left as it is, with its driver.
    """
    if KEYRING in host.get_fact(DebPackages):
        return
    sha256 = settings.cuda_keyring_sha256 or here.keyring_sha256
    url = here.keyring_url
    if not sha256 or not url:
        yield failure(
            f"cuda_keyring_sha256: the sha256 of NVIDIA's keyring for {here} is not known; "
            f"set it to {advice.keyring(here)}"
        )
        return
    if not (settings.driver == "install" and settings.cuda_source == "nvidia"):
        yield from text_file.put(PIN, PIN_TEXT)
    yield records.noted(PACKAGES, [KEYRING])
    job = spec(url, sha256)
    yield from jobs.start(job)
    if state.is_executing and (reason := jobs.wait(job, KEYRING_SECONDS)):
        yield failure(reason)
