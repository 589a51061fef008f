"""Whether the model fits, by llama.cpp's own reckoning, before a candidate tries.

llama-fit-params reads the model's header and asks the devices; it loads no weights. Without
`--fit-print` it tells by its exit status whether the recipe fits into what is free, with it prints
a line per device: its name, then MiB of weights, context and compute buffers.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

SECONDS = 120
LINE = re.compile(r"^(\S+) (\d+) (\d+) (\d+) ?$", re.MULTILINE)
PARTS = ("weights", "context", "compute")


def parse(text: str) -> dict[str, dict[str, int]]:
    """MiB by device and part; `Host` is main memory."""
    return {
        found[1]: dict(zip(PARTS, map(int, found.groups()[1:]), strict=True))
        for found in LINE.finditer(text)
    }


def _run(argv: list[str], env: dict[str, str]) -> tuple[int, str] | None:
    """(exit status, stdout); None where it does not run or does not end."""
    path = os.environ.get("PATH", os.defpath)
    try:
        done = subprocess.run(
            argv, env={"PATH": path, **env}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode, done.stdout[:65536]


def look(argv: list[str], env: dict[str, str]) -> tuple[dict[str, Any], str | None]:
    """The estimate for the record, and one line if the recipe does not fit.

    Where the program says nothing (a release made before it was kept), loading will tell.
    """
    printed = _run([*argv, "--fit-print", "on"], env)
    found = parse(printed[1]) if printed and printed[0] == 0 else {}
    if not found:
        return {}, None
    fitted = _run([*argv, "--fit-target", "0"], env)
    if fitted is None or fitted[0] == 0:
        return found, None
    needs = "; ".join(
        f"{device} {', '.join(f'{part} {mib} MiB' for part, mib in parts.items())}"
        for device, parts in found.items()
    )
    return found, (
        f"context: by llama-fit-params the recipe does not fit into what is free ({needs}); set a "
        "smaller context, cache type or model, or free memory on the card"
    )
