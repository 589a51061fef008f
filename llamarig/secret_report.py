"""A secret's way from a run to the command that started it: a file of its own, 0600, never the
run report, which is printed and kept.

The file named by LLAMARIG_SECRET lies in a folder that only its owner may enter and that is removed
when the run is over.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "LLAMARIG_SECRET"


def wanted() -> bool:
    """Whether somebody reads the file."""
    return bool(os.environ.get(VARIABLE))


def put(secret: str) -> None:
    """Leave the secret for whoever started this run.

    Raises:
        OSError: the file is there already, or can't be written.
    """
    file = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as out:
        out.write(secret)


def take(path: Path) -> str | None:
    """What the run left, which is removed; None if it left nothing."""
    try:
        secret = path.read_text()
        path.unlink()
    except FileNotFoundError:
        return None
    return secret
