"""llamarig.lock: what was resolved once and is honoured from then on (YAML, in the site).

    llama_cpp:
      https://github.com/ggml-org/llama.cpp b11434: {commit: <40 hex>}
    models:
      Jackrong/Qwopus3.6-27B-v2-MTP-GGUF Qwopus3.6-27B-v2-MTP-Q4_K_M.gguf:
        {revision: <40 hex>, sha256: <64 hex>, size: <bytes>, mtp_layers: <number>}
    choices:
      Jackrong/Qwopus3.6-27B-v2-MTP-GGUF auto 24564 MiB 8192 q8_0 q8_0 1 3: {file: <name>}
    web_ui:
      auto: {how: build}

A hash in it was seen by one of the site's hosts and trusted on first use, or given by the user.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from llamarig.errors import UserError
from llamarig.faults import shown
from llamarig.site_file import SiteFile
from llamarig.values import Commit, ModelFile, Sha256, allowed

if TYPE_CHECKING:
    from llamarig.settings import Settings

HEADER = "# Written by llamarig: what was resolved once. Keep it with the site.\n"
MEND = "take it from your version control, or remove it and let hosts resolve anew"
FORMS: dict[str, Any] = {
    "commit": Commit,
    "revision": Commit,
    "sha256": Sha256,
    "size": Annotated[int, Ge(1), Le(2**50)],
    # GGUF keeps it in 32 bits.
    "mtp_layers": Annotated[int, Ge(0), Le(2**32 - 1)],
    "file": ModelFile,
    "how": Literal["build", "hub", "none"],
}
NUMBERS = ("size", "mtp_layers")
SECTIONS = ("llama_cpp", "models", "choices", "web_ui")


def model_key(settings: Settings) -> str:
    """How the section `models` names a file: as the hub does, with the revision if one is set. A
    file of this machine is another thing: the hub knows no revision of it."""
    at = f"@{settings.model_revision}" if settings.model_revision else ""
    own = f" from {settings.model_local_file}" if settings.model_local_file else ""
    return f"{settings.model_repo}{at} {settings.model_file}{own}"


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def _label(key: object) -> str:
    """A key as a line may show it: YAML can put any character, and any type, into one."""
    if not isinstance(key, str):
        return f"a key of type {type(key).__name__}"
    return key if key.isprintable() else repr(key)


def _value_fault(name: str, value: object) -> str | None:
    form = FORMS[name]
    try:
        TypeAdapter(form).validate_python(value, strict=True)
    except ValidationError:
        found = _kind(value) if value is None else shown(name, value)
        # YAML takes a hash that happens to have no letters for a number.
        unquoted = isinstance(value, (int, float)) and name not in NUMBERS
        expected = "text in quotes" if unquoted else allowed(FieldInfo.from_annotation(form))
        return f"found {found}, expected {expected}"
    return None


def _entry_faults(entry: object) -> list[str]:
    """What llamarig can't have written under a key."""
    if not isinstance(entry, dict):
        return [f"found {_kind(entry)}, expected a mapping"]
    lines = []
    for name, value in entry.items():
        fault = "unknown" if name not in FORMS else _value_fault(name, value)
        if fault:
            lines.append(f"{_label(name)}: {fault}")
    return lines


def _section_faults(entries: object) -> list[str]:
    if not isinstance(entries, dict):
        return [f"found {_kind(entries)}, expected a mapping"]
    lines = []
    for key, entry in entries.items():
        if isinstance(key, str):
            lines += [f"{_label(key)}: {fault}" for fault in _entry_faults(entry)]
        else:
            lines.append(f"found {_label(key)}, expected text")
    return lines


class Lockfile:
    """The file at `path`, or the one that a link there leads to; a missing file holds nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SiteFile(
            path,
            header=HEADER,
            mend=MEND,
            holds="a mapping with llama_cpp and models",
            blank=False,
        )

    def faults(self) -> list[str]:
        """A line for each entry that llamarig can't have written; nothing for a missing file."""
        try:
            content = self._file.read()
        except UserError as error:
            return [str(error)]
        lines = []
        for section, entries in content.items():
            if section not in SECTIONS:
                known = ", ".join(SECTIONS)
                lines.append(f"{_label(section)}: unknown, llamarig writes {known}")
            else:
                lines += [f"{section}: {fault}" for fault in _section_faults(entries)]
        return [f"{self.path}: {line}; {MEND}" for line in lines]

    def get(self, section: str, key: str) -> dict[str, Any]:
        """What is known under a key, or nothing."""
        entries = self._file.read().get(section)
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
        """Write an entry, whatever was there; True if the file changed.

        Raises:
            UserError: the file is damaged, or can't be written.
        """
        with self._file.alone():
            content = self._file.read()
            entries = self._entries(content, section)
            if entries.get(key) == values:
                return False
            self._file.write({**content, section: {**entries, key: values}})
            return True

    def forget(self, section: str, key: str) -> None:
        """Remove an entry, if it is there.

        Raises:
            UserError: the file is damaged, or can't be written.
        """
        with self._file.alone():
            content = self._file.read()
            entries = self._entries(content, section)
            if key in entries:
                content[section] = {name: each for name, each in entries.items() if name != key}
                self._file.write({name: each for name, each in content.items() if each})

    def keys(self, section: str) -> list[str]:
        """The keys of a section, sorted."""
        entries = self._file.read().get(section)
        if not isinstance(entries, dict):
            return []
        return sorted(key for key in entries if isinstance(key, str))

    def _entries(self, content: dict[str, Any], section: str) -> dict[str, Any]:
        entries = content.get(section, {})
        if not isinstance(entries, dict):
            found = f"{section}: found {_kind(entries)}, expected a mapping"
            raise UserError(f"{self.path}: {found}; {MEND}")
        return entries
