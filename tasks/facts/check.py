"""The continuous check on a host: its files, and whether its timer is at work."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

from llamarig.paths import CONFIG

UNIT, TIMER = "llamarig-check.service", "llamarig-check.timer"
UNIT_PATH, TIMER_PATH = f"/etc/systemd/system/{UNIT}", f"/etc/systemd/system/{TIMER}"
# What the unit is told, and the file that node_exporter reads, written down to be found again.
FILE = f"{CONFIG}/check.json"
METRICS = f"{CONFIG}/check-metrics"

# usage: METRICS TIMER TIMER-PATH FILE…
_LOOK = """
metrics=$1 timer=$2 path=$3
shift 3
sha256sum -- "$@" 2>/dev/null | sed 's/^/file /'
if [ -s "$metrics" ]; then echo "metrics $(head -n 1 "$metrics")"; fi
systemctl is-enabled -q "$timer" 2>/dev/null && echo enabled
systemctl is-active -q "$timer" 2>/dev/null && echo active
if [ -e "$path" ]; then echo "age $(($(date +%s) - $(stat -c %Y "$path")))"; fi
true
"""


@dataclass(frozen=True)
class CheckState:
    """files: path to sha256 of those that are there. metrics: the file that it writes for
    node_exporter, None for none. enabled: at every boot; active: now. seconds: since the timer was
    set up, None without one."""

    files: dict[str, str] = field(default_factory=dict)
    metrics: str | None = None
    enabled: bool = False
    active: bool = False
    seconds: int | None = None

    @property
    def there(self) -> bool:
        """Whether anything of it is on the host."""
        own = {UNIT_PATH, TIMER_PATH, FILE}
        return bool(own & set(self.files) or self.metrics or self.enabled or self.active)


class Check(FactBase[CheckState]):
    """As root or not: nothing of it is secret. more: further files to know of."""

    @staticmethod
    def default() -> CheckState:
        return CheckState()

    def command(self, more: Sequence[str] = ()) -> str:
        paths = [UNIT_PATH, TIMER_PATH, FILE, *more]
        return shlex.join(["sh", "-c", _LOOK, "sh", METRICS, TIMER, TIMER_PATH, *paths])

    def process(self, output: list[str]) -> CheckState:
        files: dict[str, str] = {}
        metrics, seconds = None, None
        for line in output:
            kind, _, rest = line.partition(" ")
            if kind == "file":
                digest, _, path = rest.partition("  ")
                files[path] = digest
            elif kind == "metrics":
                metrics = rest
            elif kind == "age" and rest.lstrip("-").isdigit():
                seconds = max(0, int(rest))
        return CheckState(files, metrics, "enabled" in output, "active" in output, seconds)
