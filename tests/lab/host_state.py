"""What a host is made of, so that two moments of it can be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

# Kinds, modes, owners and contents of all files, outside of what lives in memory, logs and what
# apt downloaded. Python is on the made hosts before llamarig comes.
_FILES = r"""
import hashlib, json, os, stat
SKIP = {"/proc", "/sys", "/dev", "/run", "/tmp", "/var/log", "/var/cache/apt", "/var/lib/apt/lists",
        "/var/cache/llamarig"}  # all made hosts share a compiler's cache that is mounted there
found = {}
def look(path):
    info = os.lstat(path)
    what = f"{stat.filemode(info.st_mode)} {info.st_uid}:{info.st_gid}"
    if stat.S_ISLNK(info.st_mode):
        what += " " + os.readlink(path)
    elif stat.S_ISREG(info.st_mode):
        with open(path, "rb") as file:
            what += " " + hashlib.sha256(file.read()).hexdigest()[:16]
    found[path] = what
for folder, folders, files in os.walk("/"):
    folders[:] = [each for each in folders if os.path.join(folder, each) not in SKIP]
    for name in folders + files:
        try:
            look(os.path.join(folder, name))
        except FileNotFoundError:
            continue
print(json.dumps(found))
"""

_LISTS = {
    "packages": "dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n'",
    "manual": "apt-mark showmanual",
    "held": "apt-mark showhold",
    "users": "cut -d: -f1,3,4,6,7 /etc/passwd",
    "groups": "cat /etc/group",
    "shadow": "cut -d: -f1 /etc/shadow /etc/gshadow",
    "unit files": "systemctl list-unit-files --plain --no-legend",
    "units": "systemctl list-units --all --plain --no-legend 'llama*'",
    "processes": "ps -eo user=,args= | grep -i llama | grep -v grep || true",
    "nft": "nft list ruleset 2>/dev/null || true",
    "apt": "apt-config dump",
}


def state(on_host: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """Aspect -> its entries; of files path -> mode, owner and content, of lists line -> True."""
    quoted = _FILES.replace("'", "'\"'\"'")
    found: dict[str, dict[str, Any]] = {"files": json.loads(on_host(f"python3 -c '{quoted}'"))}
    for aspect, command in _LISTS.items():
        found[aspect] = dict.fromkeys(on_host(command).splitlines(), True)
    return found


def difference(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]], *excepted: str
) -> list[str]:
    """A line for each thing that differs; files below an excepted path don't count."""
    lines = []
    for aspect, were in before.items():
        are = after[aspect]
        for name in sorted({*were, *are}):
            if were.get(name) == are.get(name):
                continue
            if aspect == "files" and name.startswith(excepted):
                continue
            lines.append(f"{aspect}: {name}: {were.get(name)} -> {are.get(name)}")
    return lines
