"""Mounts of ours: overlays of hosts, and finding what is mounted under a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal.shell import last_line, run


def overlay(layers: Sequence[str], folder: Path) -> Path:
    """Mount layers (topmost first) under the folder's own upper one; the merged root's path."""
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    root = folder / "root"
    if not os.path.ismount(root):
        options = f"lowerdir={':'.join(layers)},upperdir={folder}/upper,workdir={folder}/work"
        made = run("mount", "-t", "overlay", "overlay", "-o", options, str(root), check=False)
        if made.returncode:
            raise UserError(
                f"no overlay can be mounted in {folder} ({last_line(made)}); "
                "put LLAMARIG_CACHE on a file system such as ext4 or xfs"
            )
    return root


def under(folder: Path, mountinfo: str | None = None) -> list[str]:
    """What is mounted at or under the folder, the innermost first."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    points = [_unescape(line.split()[4]) for line in text.splitlines()]
    inside = [p for p in points if p == str(folder) or p.startswith(f"{folder}/")]
    return list(reversed(inside))


def _unescape(point: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point


def unmount(point: Path, patience: float = 10.0) -> None:
    """Unmount, waiting for the last of a host that was just killed to let go."""
    deadline = time.monotonic() + patience
    while os.path.ismount(point):
        done = run("umount", str(point), check=False)
        if done.returncode == 0:
            continue
        if time.monotonic() > deadline:
            raise UserError(f"{point} cannot be unmounted: {last_line(done)}")
        time.sleep(0.05)


def unmount_under(folder: Path) -> None:
    for point in under(folder):
        unmount(Path(point))
