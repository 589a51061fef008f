"""group_data/tuned.yaml: what `llamarig tune` found best for each host, with its evidence.

    gpu01:
      draft_n_max: 4
      draft_p_min: 0.0
      evidence: {speedup: 1.98, interval: [1.93, 2.03], tps: 87.4, baseline_tps: 44.2, card: …,
                 driver: …, power_limit_w: …, release: …, model_sha256: …, measured: …, tokens: …}

It holds for a host as if group_data had a file of that host alone: what the inventory says of the
host beats it, and it beats groups and defaults. It lies in the folder of llamarig.lock, which is
the one that pyinfra is started in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from llamarig.errors import UserError
from llamarig.site_file import SiteFile
from llamarig.tuned_forms import EVIDENCE, KEYS, faults, label

PLACE = "group_data/tuned.yaml"
HEADER = (
    "# Written by `llamarig tune`: the draft depth that measured best, host by host. Keep it with\n"
    "# the site. To choose by hand, say it of the host in the inventory, or take its entry away.\n"
)
MEND = "mend it, or take the entry away and tune the host again"


def effective(
    data: Mapping[str, object], own: Collection[str], entry: Mapping[str, object]
) -> dict[str, object]:
    """A host's data with what was tuned for it. own: the keys that the inventory (or the command
    line) says of this host itself, which win."""
    return {**data, **{key: entry[key] for key in KEYS if key in entry and key not in own}}


def entry(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is written of a host whose tuning passed; record: its own (llamarig/onhost)."""
    context = record["context"]
    card = context["card"] or {}
    best = record["arms"][record["best"]]
    measured = datetime.fromtimestamp(record["finished"], timezone.utc)
    return {
        "draft_n_max": best["draft_n_max"],
        "draft_p_min": best["draft_p_min"],
        EVIDENCE: {
            "speedup": round(record["speedup"], 3),
            "interval": [round(each, 3) for each in record["interval"]],
            "tps": round(record["tps"], 1),
            "baseline_tps": round(record["baseline_tps"], 1),
            "card": card.get("name"),
            "driver": card.get("driver"),
            "power_limit_w": card.get("power_limit_w"),
            "release": context["release"],
            "model_sha256": context["model_sha256"],
            "measured": measured.date().isoformat(),
            "tokens": record["tokens"],
        },
    }


class Tuned:
    """The file of a site."""

    def __init__(self, site: Path) -> None:
        self.path = site / PLACE
        self._file = SiteFile(self.path, header=HEADER, mend=MEND)

    def read(self) -> tuple[dict[str, dict[str, Any]], list[str]]:
        """The sound entries by host, and a line for each fault of the others."""
        try:
            content = self._file.read()
        except UserError as error:
            return {}, [str(error)]
        sound: dict[str, dict[str, Any]] = {}
        lines: list[str] = []
        for name, entry in content.items():
            if not isinstance(name, str):
                lines.append(f"{self.path}: found {label(name)}, allowed: a host's name; {MEND}")
                continue
            found = faults(entry)
            lines += [f"{self.path}: {label(name)}: {fault}; {MEND}" for fault in found]
            if not found:
                sound[name] = entry
        return sound, lines

    def put(self, host: str, entry: Mapping[str, Any]) -> bool:
        """Write a host's entry; all others stay, also those that this inventory does not know.
        True if the file changed.

        Raises:
            UserError: the file is damaged, or can't be written.
        """
        with self._file.alone(make_folder=True):
            content = self._file.read()
            if content.get(host) == entry:
                return False
            self._file.write({**content, host: dict(entry)}, sort_keys=False, allow_unicode=True)
            return True
