"""The programs that run on hosts: `python3 onhost-X.pyz job|fetch|verify|prove|release|header`."""

from __future__ import annotations

import json
import sys

from llamarig.onhost.errors import Stop

USAGE = (
    "usage: job FOLDER | fetch CONFIG | verify RECORD RESULT | prove [--finish] CONFIG | "
    "switch [--finish] CONFIG | header GGUF | release CONFIG TREE FOLDER | "
    "live CONFIG | check CONFIG | bench [--finish] CONFIG | tune [--finish] CONFIG"
)


def _header(path: str) -> int:
    from llamarig.onhost import gguf_header

    try:
        print(json.dumps(gguf_header.read(path).as_dict(), indent=2))
    except (OSError, ValueError) as error:
        raise Stop(f"{path}: {error}") from None
    return 0


def _run(words: list[str]) -> int:
    if len(words) == 2 and words[0] == "job":
        from llamarig.onhost import job

        return job.main(words[1])
    if len(words) == 2 and words[0] == "fetch":
        from llamarig.onhost import fetch

        return fetch.main(words[1])
    if len(words) == 3 and words[0] == "verify":
        from llamarig.onhost import verify

        return verify.main(*words[1:])
    if len(words) == 2 and words[0] == "prove":
        from llamarig.onhost import prove

        return prove.main(words[1])
    if len(words) == 2 and words[0] == "bench":
        from llamarig.onhost import bench

        return bench.main(words[1])
    if len(words) == 2 and words[0] == "tune":
        from llamarig.onhost import tune

        return tune.main(words[1])
    if len(words) == 3 and words[0] in ("prove", "bench", "tune") and words[1] == "--finish":
        from llamarig.onhost import apart

        return apart.finish(words[2])
    if len(words) == 2 and words[0] == "switch":
        from llamarig.onhost import switch

        return switch.main(words[1])
    if len(words) == 3 and words[:2] == ["switch", "--finish"]:
        from llamarig.onhost import switch

        return switch.finish(words[2])
    if len(words) == 2 and words[0] == "live":
        from llamarig.onhost import live

        return live.main(words[1])
    if len(words) == 2 and words[0] == "check":
        from llamarig.onhost import check

        return check.main(words[1])
    if len(words) == 2 and words[0] == "header":
        return _header(words[1])
    if len(words) == 4 and words[0] == "release":
        from llamarig.onhost import release

        return release.main(*words[1:])
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
