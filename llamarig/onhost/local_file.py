"""A model that is on the host already: used where it lies, never moved, copied or changed."""

from __future__ import annotations

import os
import stat
from typing import Any

from llamarig.onhost import digest, record
from llamarig.onhost.errors import Stop


def _closed(path: str) -> str | None:
    """What keeps another user, the service's, from reading the file: the chmod that mends it."""
    if not os.stat(path).st_mode & stat.S_IROTH:
        return f"chmod o+r {path}"
    for start in (os.path.abspath(path), os.path.realpath(path)):
        folder = os.path.dirname(start)
        while True:
            if not os.stat(folder).st_mode & stat.S_IXOTH:
                return f"chmod o+x {folder}"
            if folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
    return None


def _look(path: str) -> os.stat_result:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        broken = " (a link that leads nowhere)" if os.path.islink(path) else ""
        raise Stop(f"model_path: there is no file {path} on this host{broken}") from None
    except OSError as error:
        raise Stop(f"model_path: {path}: {error.strerror}") from None
    if stat.S_ISDIR(found.st_mode):
        raise Stop(f"model_path: {path} is a folder; name the GGUF file in it")
    if not stat.S_ISREG(found.st_mode):
        raise Stop(f"model_path: {path} is no regular file")
    mend = _closed(path)
    if mend:
        raise Stop(f"model_path: the server's user can't read {path}; run: {mend}")
    return found


def use(config: dict[str, Any]) -> None:
    """Verify the file at `path` and record it.

    It came from no hub that we know of: the record's revision is the first 40 digits of its
    sha256 and its repo is null.

    Raises:
        Stop: missing, not readable, not the pinned bytes, no GGUF, or changed meanwhile.
    """
    path = config["path"]
    before = _look(path)
    print("verifying sha256 over all bytes", flush=True)
    try:
        found = digest.sha256(path)
    except OSError as error:
        raise Stop(f"model_path: {path}: {error.strerror}") from None
    digest.progress(before.st_size, before.st_size)
    if record.state(before) != record.state(_look(path)):
        raise Stop(f"model_path: {path} changed while it was read; run again when it is complete")
    wanted = config.get("sha256")
    if wanted and wanted != found:
        raise Stop(f"model_path: {path} has sha256 {found}, model_sha256 asks for {wanted}")
    record.write(
        config, path, before, repo=None, file=os.path.basename(path), endpoint=None,
        revision=found[:40], sha256=found, snapshot=path,
    )  # fmt: skip
