"""Where this machine keeps what is costly to make, and a lock around making it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llamarig.errors import UserError

PATIENCE_SECONDS = 300.0


def root() -> Path:
    """$LLAMARIG_CACHE or ~/.cache/llamarig, under sudo that of the user who asked."""
    given = os.environ.get("LLAMARIG_CACHE")
    home = Path(f"~{os.environ.get('SUDO_USER', '')}").expanduser()
    return (Path(given) if given else home / ".cache" / "llamarig").absolute()


@contextmanager
def locked(path: Path, what: str, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold a lock file; wait up to `patience` seconds for whoever holds it.

    Raises:
        UserError: it is still held; the line says who has been busy with what.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"another llamarig has been busy with {what} for {patience:.0f} s "
                        f"({path} is locked)"
                    ) from None
                time.sleep(0.2)
        try:
            yield
        finally:
            # Said, not left to the close, which gevent may do later.
            fcntl.flock(handle, fcntl.LOCK_UN)
