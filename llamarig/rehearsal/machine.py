"""What this machine is and what it lacks for a rehearsal."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal import cgroup
from llamarig.rehearsal.shell import run, search_path

# Every program of the machine that the rehearsal runs, and Debian's and Ubuntu's package of it.
PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "losetup": "mount",
    "mount": "mount",
    "fsfreeze": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "git": "git",
}


@dataclass(frozen=True)
class Machine:
    """The machine that the lab runs on."""

    distribution: str
    codename: str
    systemd_is_init: bool
    cgroups: str

    def __str__(self) -> str:
        init = "systemd is PID 1" if self.systemd_is_init else "PID 1 is not systemd"
        return f"{self.distribution} {self.codename}, {init}, cgroups {self.cgroups}"


def parse_os_release(text: str) -> dict[str, str]:
    """The keys of /etc/os-release."""
    pairs = re.findall(r'^([A-Z_]+)=["\']?(.*?)["\']?$', text, re.MULTILINE)
    return dict(pairs)


def inspect() -> Machine:
    """Look at the machine; refuse early what cannot work."""
    require_root()
    release = parse_os_release(Path("/etc/os-release").read_text())
    distribution, codename = release.get("ID", "unknown"), release.get("VERSION_CODENAME", "")
    if distribution not in ("debian", "ubuntu") or not codename:
        raise UserError(
            f"the rehearsal lab runs on Debian and Ubuntu releases; this is {distribution}"
        )
    return Machine(distribution, codename, cgroup.systemd_is_init(), cgroup.layout())


def require_root() -> None:
    if os.geteuid() != 0:
        raise UserError(
            "the rehearsal lab needs root (it makes hosts, mounts and interfaces): run it with sudo"
        )


def find(program: str) -> str | None:
    """Where a program is, administrators' folders included whatever PATH says."""
    return shutil.which(program, path=search_path())


def missing_programs() -> list[str]:
    return [program for program in PROGRAMS if not find(program)]


def packages_for(programs: Iterable[str]) -> list[str]:
    """The packages that bring the programs, each once."""
    return sorted({PROGRAMS[program] for program in programs})


def provide(agreed: Callable[[str], bool], say: Callable[[str], None]) -> None:
    """Install what is missing, after a yes."""
    missing = missing_programs()
    if not missing:
        return
    packages = packages_for(missing)
    wanted = " ".join(packages)
    if not agreed(f"The lab needs {', '.join(missing)}. Install the packages {wanted}?"):
        raise UserError(f"missing: {', '.join(missing)}; install with: apt-get install {wanted}")
    say(f"installing {wanted}")
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    install = [*environment, "apt-get", "-qy", "install", "--no-install-recommends", *packages]
    # Package lists may never have been fetched, or be old: once more after fetching them.
    if run(*install, check=False, timeout=600).returncode:
        run("apt-get", "-q", "update", timeout=600)
        run(*install, timeout=600)
    if still := missing_programs():
        raise UserError(f"{wanted} installed, yet still missing: {', '.join(still)}")
