"""The model files that llamarig brought to a host or was pointed to, as it wrote them down."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from llamarig.paths import MODELS

_SHOW = f"""
for file in {MODELS}/*.json; do
    if [ -f "$file" ]; then tr '\\n' ' ' <"$file"; echo; fi
done
"""


@dataclass(frozen=True)
class RecordedModel:
    """path: the file; folder: its repository's in the hub's cache, None for a file that was on the
    host already (model_path); home: the hf_home of that cache."""

    path: str
    folder: str | None = None

    @property
    def home(self) -> str | None:
        return self.folder.rsplit("/hub/", 1)[0] if self.folder else None


class ModelRecords(FactBase[list[RecordedModel]]):
    """As root. A record that can't be read counts as none."""

    @staticmethod
    def default() -> list[RecordedModel]:
        return []

    def command(self) -> str:
        return _SHOW

    def process(self, output: list[str]) -> list[RecordedModel]:
        found = {}
        for line in output:
            try:
                record = json.loads(line)
                path, snapshot = record["path"], record.get("snapshot") or ""
            except (ValueError, TypeError, LookupError, AttributeError):
                continue
            if not isinstance(path, str) or not path.startswith("/"):
                continue
            folder, inside, _ = str(snapshot).partition("/snapshots/")
            in_cache = inside and "/hub/models--" in folder and record.get("source") != "path"
            found[path] = RecordedModel(path, folder if in_cache else None)
        return list(found.values())
