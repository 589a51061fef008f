"""llamarig.lock: what was resolved once and is honoured from then on (YAML, in the site).

    llama_cpp:
      https://github.com/ggml-org/llama.cpp b11434: {commit: <40 hex>}
    models:
      Jackrong/Qwopus3.6-27B-v2-MTP-GGUF Qwopus3.6-27B-v2-MTP-Q4_K_M.gguf:
        {revision: <40 hex>, sha256: <64 hex>, size: <bytes>, mtp_layers: <number>}
    choices:
      Jackrong/Qwopus3.6-27B-v2-MTP-GGUF auto 24564 MiB 8192 q8_0 q8_0 1 3: {file: <name>}

A hash in it was seen by one of the site's hosts and trusted on first use, or given by the user.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llamarig.errors import UserError

HEADER = "# Written by llamarig: what was resolved once. Keep it with the site.\n"
MEND = "take it from your version control, or remove it and let hosts resolve anew"
FORMS = {
    "commit": r"[0-9a-f]{40}",
    "revision": r"[0-9a-f]{40}",
    "sha256": r"[0-9a-f]{64}",
    "size": r"[0-9]+",
    "mtp_layers": r"[0-9]+",
    "file": r"[^\s]+\.gguf",
}
SECTIONS = ("llama_cpp", "models", "choices")


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def _entry_faults(entry: object) -> list[str]:
    """What llamarig can't have written under a key."""
    if not isinstance(entry, dict):
        return [f"found {_kind(entry)}, expected a mapping"]
    return [
        f"{name}: {'unknown' if name not in FORMS else f'found {value!r}'}"
        for name, value in entry.items()
        if name not in FORMS or not re.fullmatch(FORMS[name], str(value))
    ]


class Lockfile:
    """The file at `path`; a missing file holds nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _read(self) -> dict[str, Any]:
        if not self.path.exists():
            return {}
        try:
            content = yaml.safe_load(self.path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{self.path}: not readable as YAML ({reason}); {MEND}") from None
        if not isinstance(content, dict):
            raise UserError(f"{self.path}: expected a mapping with llama_cpp and models; {MEND}")
        return content

    def faults(self) -> list[str]:
        """A line for each entry that llamarig can't have written; nothing for a missing file."""
        try:
            content = self._read()
        except UserError as error:
            return [str(error)]
        lines = []
        for section, entries in content.items():
            if section not in SECTIONS:
                lines.append(f"{section}: unknown, llamarig writes {', '.join(SECTIONS)}")
            elif not isinstance(entries, dict):
                lines.append(f"{section}: found {_kind(entries)}, expected a mapping")
            else:
                for key, entry in entries.items():
                    lines += [f"{section}: {key}: {fault}" for fault in _entry_faults(entry)]
        return [f"{self.path}: {line}; {MEND}" for line in lines]

    def get(self, section: str, key: str) -> dict[str, Any]:
        """What is known under a key, or nothing."""
        entries = self._read().get(section)
        entry = entries.get(key) if isinstance(entries, dict) else None
        return dict(entry) if isinstance(entry, dict) else {}

    def put(self, section: str, key: str, values: dict[str, Any]) -> bool:
        """Write an entry that is not there yet; True if the file changed.

        An entry that is there wins: another host of the run, or an earlier run, resolved it.
        """
        if self.get(section, key):
            return False
        return self.replace(section, key, values)

    def replace(self, section: str, key: str, values: dict[str, Any]) -> bool:
        """Write an entry, whatever was there; True if the file changed."""
        with self._alone():
            content = self._read()
            entries = content.setdefault(section, {})
            if entries.get(key) == values:
                return False
            entries[key] = values
            self._write(content)
            return True

    def forget(self, section: str, key: str) -> None:
        """Remove an entry, if it is there."""
        with self._alone():
            content = self._read()
            if content.get(section, {}).pop(key, None) is not None:
                self._write({name: each for name, each in content.items() if each})

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Two runs of a site must not lose each other's pins; the folder itself is the lock."""
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _write(self, content: dict[str, Any]) -> None:
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        temporary.write_text(HEADER + yaml.safe_dump(content, sort_keys=True))
        temporary.replace(self.path)

    def keys(self, section: str) -> list[str]:
        """The keys of a section, sorted."""
        entries = self._read().get(section)
        return sorted(entries) if isinstance(entries, dict) else []
