"""Whether a host reaches NVIDIA's package repository."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase


class NvidiaRepository(FactBase[bool]):
    """Asked from the host, 10 s at most, with what a fresh host has: curl, else wget, else bash
    (which can only tell that somebody listens)."""

    @staticmethod
    def default() -> bool:
        return False

    def command(self, url: str) -> str:
        quoted, name = shlex.quote(url), shlex.quote(url.split("/")[2])
        return (
            f"{{ if command -v curl; then curl -fsSI -m 10 {quoted}; "
            f"elif command -v wget; then wget -q --spider -T 10 -t 1 {quoted}; "
            f"else timeout 10 bash -c 'exec 3<>/dev/tcp/{name}/443'; fi; }} "
            "</dev/null >/dev/null 2>&1 && echo reached; true"
        )

    def process(self, output: list[str]) -> bool:
        return output == ["reached"]
