"""All bytes of a recorded model file, read from the disk and compared with its record.

A file that is not what it was loses its record, so that the next run brings it anew, and its name,
unless a generation needs the name. Somebody's own file (model_path) is never touched.
"""

from __future__ import annotations

import contextlib
import glob
import os
import time
from typing import Any

from llamarig.onhost import digest
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json, write_json

GENERATIONS = "/opt/llamarig/generations"
DAMAGED = ".damaged"


def users(path: str, generations: str = GENERATIONS) -> list[int]:
    """The generations, in order, that serve the file at `path`."""
    real = os.path.realpath(path)
    links = glob.glob(os.path.join(glob.escape(generations), "[0-9]*", "model.gguf"))
    found = [os.path.basename(os.path.dirname(each)) for each in links
             if os.path.realpath(each) == real]  # fmt: skip
    return sorted(int(each) for each in found if each.isdigit())


def judge(record: dict[str, Any]) -> tuple[str, str]:
    """(verdict, words): `right`, `wrong`, `unreadable` or `missing`."""
    path = record["path"]
    try:
        found = digest.sha256_on_disk(path)
    except FileNotFoundError:
        return "missing", f"{path} is not there any more"
    except OSError as error:
        return "unreadable", f"{path} can't be read: {error.strerror}"
    if found != record["sha256"]:
        return "wrong", f"{path} has sha256 {found}, its record says {record['sha256']}"
    return "right", path


def set_aside(record: dict[str, Any], record_path: str, used: list[int]) -> str | None:
    """Take all records of the file away (each way to ask for it has its own), and the file's name
    where no generation needs it; the file's new name if it got one."""
    path = os.path.realpath(str(record["path"]))
    for each in glob.glob(os.path.join(glob.escape(os.path.dirname(record_path)), "*.json")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if each == record_path or os.path.realpath(read_json(each)["path"]) == path:
                os.unlink(each)
    if used or record.get("source") == "path" or not os.path.exists(path):
        return None
    os.rename(path, path + DAMAGED)
    return path + DAMAGED


def main(record_path: str, result_path: str, generations: str = GENERATIONS) -> int:
    """Verify the file of a record and write what came out: verdict, words, bytes, seconds,
    generations that use the file, renamed (the damaged file's new name or null) and source."""
    try:
        record = read_json(record_path)
        path, size = record["path"], record["size"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Stop(f"{record_path} is no record of a model; remove it, then: llamarig up") from None
    begun = time.monotonic()
    verdict, words = judge(record)
    seconds = time.monotonic() - begun
    if verdict == "right":
        digest.progress(size, size)
    used = users(path, generations)
    renamed = None if verdict == "right" else set_aside(record, record_path, used)
    write_json(
        result_path,
        {
            "verdict": verdict, "words": words, "bytes": size, "seconds": seconds,
            "generations": used, "renamed": renamed, "source": record.get("source", "hub"),
        },
    )  # fmt: skip
    print(f"{verdict}: {words}", flush=True)
    return 0
