"""What a host's processor can do, as far as a program built for it needs it."""

from __future__ import annotations

import re

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase


class Processor(FactBase[str | None]):
    """A digest of the processor's features (64 hex): equal where a build for one runs on the
    other. None where the kernel names none."""

    def command(self) -> str:
        return (
            "sed -n 's/^\\(flags\\|Features\\)[[:space:]]*: //p' /proc/cpuinfo | head -n 1 | "
            "tr ' ' '\\n' | sort | sha256sum | cut -d' ' -f1"
        )

    def process(self, output: list[str]) -> str:
        if len(output) != 1 or not re.fullmatch(r"[0-9a-f]{64}", output[0]):
            raise FactProcessError(f"a digest expected for the processor, got {output!r}")
        return output[0]
