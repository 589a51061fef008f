"""CUDA packages stay what the release was built with, and no driver is swapped under a server."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from llamarig.tasks.facts.apt import OURS, HeldPackages
from llamarig.tasks.operations import text_file

UNATTENDED = "/etc/apt/apt.conf.d/52llamarig-unattended-upgrades"
# Regular expressions for the beginning of a package's name; apt adds lists of several files up.
UNATTENDED_TEXT = """\
// Written by llamarig (hold_cuda_packages): an upgraded driver stops working until the next boot.
Unattended-Upgrade::Package-Blacklist {
    "nvidia-";
    "libnvidia-";
    "linux-modules-nvidia-";
    "linux-objects-nvidia-";
    "xserver-xorg-video-nvidia";
    "libcuda1";
    "libcublas";
    "libcudart";
    "cuda-";
    "cccl-";
};
"""


@operation()
def hold(installed: Sequence[str], wanted: bool) -> Generator[PyinfraCommand, None, None]:
    """Hold what llamarig installs from NVIDIA, now and before, or let go of it.

    What was installed is written down, since later runs find the toolkit merely present.
    """
    known = host.get_fact(HeldPackages)
    ours = sorted(known.ours | set(installed))
    if set(ours) != known.ours:
        yield StringCommand(f"mkdir -p {OURS.rpartition('/')[0]}")
        yield from text_file.put(OURS, "\n".join(ours) + "\n")
    names = [each for each in ours if (each in known.held) != wanted]
    if names:
        yield StringCommand(f"apt-mark {'hold' if wanted else 'unhold'} {shlex.join(names)}")
