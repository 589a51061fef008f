"""The programs that run on hosts: `python3 onhost-X.pyz job|fetch|verify|prove|release|header`."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

from llamarig.onhost.errors import Stop

# Verbs that are told everything by one file or folder: the module of that name has their `main`.
OF_ONE = ("job", "fetch", "share", "take", "prove", "bench", "tune", "switch", "live", "check")
# Verbs that a job says its last words with.
FINISHING = {"prove": "apart", "bench": "apart", "tune": "apart", "switch": "switch"}
USAGE = (
    f"usage: {'|'.join(OF_ONE)} PATH | {'|'.join(FINISHING)} --finish PATH | "
    "verify RECORD RESULT | header GGUF | release CONFIG TREE FOLDER"
)


def _header(path: str) -> int:
    from llamarig.onhost import gguf_header

    try:
        print(json.dumps(gguf_header.read(path).as_dict(), indent=2))
    except (OSError, ValueError) as error:
        raise Stop(f"{path}: {error}") from None
    return 0


def _module(name: str) -> Any:
    """Only what is asked for is loaded: a host's Python is old, or slow."""
    return importlib.import_module(f"llamarig.onhost.{name}")


def _run(words: list[str]) -> int:
    verb, *more = words or [""]
    if verb in OF_ONE and len(more) == 1:
        return int(_module(verb).main(*more))
    if verb in FINISHING and len(more) == 2 and more[0] == "--finish":
        return int(_module(FINISHING[verb]).finish(more[1]))
    if verb == "verify" and len(more) == 2:
        return int(_module(verb).main(*more))
    if verb == "header" and len(more) == 1:
        return _header(*more)
    if verb == "release" and len(more) == 3:
        return int(_module(verb).main(*more))
    raise Stop(USAGE, 2)


def main() -> None:
    """Dispatch; a foreseeable fault is one line on stderr."""
    try:
        sys.exit(_run(sys.argv[1:]))
    except Stop as stop:
        print(f"llamarig: {stop}", file=sys.stderr, flush=True)
        sys.exit(stop.code)


if __name__ == "__main__":
    main()
