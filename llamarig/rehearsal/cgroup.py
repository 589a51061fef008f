"""Control groups of made hosts: what a host is made of is exactly what is in its group.

On a machine whose PID 1 is not systemd we make the groups ourselves. In the hybrid layout the
process must be in our group of both trees before nspawn starts: with only one of them nspawn
makes its groups at the root of the other and hosts would share them. Where systemd is PID 1 the
tree is systemd's, and a delegated scope is asked of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from llamarig.errors import UserError

ROOT = Path("/sys/fs/cgroup")
KILL_PATIENCE = 20.0
FREEZE_PATIENCE = 10.0


def layout(root: Path = ROOT) -> str:
    """`v2`, `hybrid` or `v1`."""
    if (root / "cgroup.controllers").exists():
        return "v2"
    if (root / "unified" / "cgroup.procs").exists():
        return "hybrid"
    if (root / "systemd" / "cgroup.procs").exists():
        return "v1"
    raise UserError(f"{root}: no control groups that systemd can use are mounted")


def trees(root: Path = ROOT) -> list[Path]:
    """The trees in which a booting systemd needs a group of its own."""
    return {
        "v2": [root],
        "hybrid": [root / "systemd", root / "unified"],
        "v1": [root / "systemd"],
    }[layout(root)]


def slice_name(lab: str) -> str:
    return f"llamarig-{lab}"


def systemd_is_init() -> bool:
    return Path("/run/systemd/system").is_dir()


def groups(lab: str, host: str | None = None) -> list[Path]:
    """The groups of a host, or of a whole lab, that exist."""
    found: list[Path] = []
    for tree in trees():
        own = tree / slice_name(lab)
        found.append(own / host if host else own)
        # A scope that systemd made for us: llamarig-<lab>-<host>.scope in its system.slice.
        pattern = f"{slice_name(lab)}-{host or '*'}.scope"
        found.extend((tree / "system.slice").glob(pattern))
    return [group for group in found if group.is_dir()]


def launcher(lab: str, host: str) -> list[str]:
    """What to put before a command so that it starts inside the host's groups."""
    if systemd_is_init():
        unit = f"{slice_name(lab)}-{host}"
        return ["systemd-run", "--scope", "--quiet", "--collect", "-p", "Delegate=yes",
                f"--unit={unit}", "--"]  # fmt: skip
    own = [tree / slice_name(lab) / host for tree in trees()]
    for group in own:
        group.mkdir(parents=True, exist_ok=True)
    # Each folder is an argument of the shell, not a part of its program.
    program = 'while [ "$1" != -- ]; do echo 0 > "$1/cgroup.procs" || exit 1; shift; done; '
    return ["sh", "-c", program + 'shift; exec "$@"', "sh", *map(str, own), "--"]


def processes(lab: str, host: str | None = None) -> set[int]:
    """The ids of the live processes of a host, or of a whole lab."""
    found: set[int] = set()
    for group in groups(lab, host):
        for folder in _folders(group):
            with contextlib.suppress(OSError):
                listing = (folder / "cgroup.procs").read_text()
                found.update(int(line) for line in listing.split())
    return {process for process in found if process and not _is_zombie(process)}


def _folders(group: Path) -> list[Path]:
    """A group and those within it; os.walk passes over one that goes while we look."""
    return [Path(folder) for folder, _, _ in os.walk(group)]


def _is_zombie(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] in "ZX"


def freeze(lab: str, host: str) -> None:
    """Stop every process of a host where it stands."""
    switches = _freezers(lab, host)
    if not switches:
        raise UserError(f"{host}: this kernel cannot freeze it; stop it first: lab kill {host}")
    for switch in switches:
        switch.write_text("1")
        events = switch.parent / "cgroup.events"
        deadline = time.monotonic() + FREEZE_PATIENCE
        while "frozen 1" not in events.read_text():
            if time.monotonic() > deadline:
                thaw(lab, host)
                raise UserError(f"{host}: did not freeze within {FREEZE_PATIENCE:.0f} s")
            time.sleep(0.01)


def thaw(lab: str, host: str) -> None:
    """Let a frozen host go on."""
    for switch in _freezers(lab, host):
        switch.write_text("0")


def _freezers(lab: str, host: str) -> list[Path]:
    switches = [group / "cgroup.freeze" for group in groups(lab, host)]
    return [switch for switch in switches if switch.exists()]


def kill(lab: str, host: str | None = None) -> None:
    """End every process of a host or a lab at once, as losing power does."""
    deadline = time.monotonic() + KILL_PATIENCE
    while remaining := processes(lab, host):
        if time.monotonic() > deadline:
            raise UserError(f"processes of {host or lab} do not end: {sorted(remaining)}")
        for process in remaining:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)
        time.sleep(0.02)


def remove(lab: str, host: str | None = None) -> None:
    """Remove the empty groups, the innermost first."""
    for group in groups(lab, host):
        for path in sorted(_folders(group), reverse=True):
            for _ in range(50):
                try:
                    path.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:  # a process that has just died may still count for a moment
                    time.sleep(0.02)
