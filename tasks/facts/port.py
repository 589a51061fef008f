"""Who listens on a TCP port of a host."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

_USER = re.compile(r'\("([^"]+)",pid=(\d+)')


@dataclass(frozen=True)
class Listening:
    """A listening process; pid 0 where the kernel does not tell."""

    program: str
    pid: int
    unit: str


class Listener(FactBase[list[Listening]]):
    """The processes that listen on a port, with the systemd unit each belongs to."""

    @staticmethod
    def default() -> list[Listening]:
        return []

    def command(self, port: int) -> str:
        return (
            f"ss -Hltnp 'sport = :{port}' | while read -r line; do "
            "pid=$(printf '%s' \"$line\" | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p'); "
            'unit=$([ -n "$pid" ] && grep -o "[^/]*\\.service" /proc/$pid/cgroup | head -n 1); '
            'printf "%s\\t%s\\n" "$unit" "$line"; done'
        )

    def process(self, output: list[str]) -> list[Listening]:
        found = []
        for row in output:
            unit, _, line = row.partition("\t")
            user = _USER.search(line)
            program, pid = (user[1], int(user[2])) if user else ("an unknown process", 0)
            found.append(Listening(program, pid, unit))
        return found
