"""A new release's manifest, release.json: what it was made from, with what, and what is in it.

Called when its files are in place and its llama-server has run. CONFIG is what the build was told
(a JSON object, taken over as it is); the status of the build's job lies in the same folder.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import time
from dataclasses import asdict
from typing import Any

from llamarig.onhost.errors import Stop
from llamarig.onhost.fatbinary import Architectures, architectures
from llamarig.onhost.files import read_json, write_json

_SET = re.compile(r'set\(CMAKE_(C|CXX|CUDA)_(COMPILER|COMPILER_VERSION|COMPILER_ID) "(.*)"\)')
CUDA_LIBRARY = "libggml-cuda.so"


def compilers(tree: str) -> dict[str, dict[str, str]]:
    """What cmake found in this build tree, by language: path, id (`GNU`) and version."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(glob.glob(f"{tree}/CMakeFiles/*/CMake*Compiler.cmake")):
        with open(path, encoding="utf-8", errors="replace") as file:
            for language, what, value in _SET.findall(file.read()):
                key = {"COMPILER": "path"}.get(what, what.removeprefix("COMPILER_").lower())
                found.setdefault(language, {})[key] = value
    return found


def host_compiler(path: str) -> dict[str, str]:
    """The compiler that nvcc hands the host's code to; cmake does not say its version."""
    try:
        done = subprocess.run(
            [path, "-dumpfullversion"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return {"path": path, "version": "unknown"}
    return {"path": path, "version": done.stdout.strip()[:40] or "unknown"}


def refusal(wanted: int, found: Architectures) -> str | None:
    """Why a library that holds these is not the one that was asked for; None if it is."""
    if wanted in found.machine_code:
        return None
    names = ", ".join(f"sm_{each}" for each in found.machine_code) or "no card at all"
    return (
        f"cuda_architecture: {CUDA_LIBRARY} holds code for {names}, not for sm_{wanted} "
        f"(found by {found.read_with})"
    )


def _seconds(folder: str) -> dict[str, float]:
    """Per stage of the job that is over. Without a job (a rebuild by hand) there is nothing."""
    try:
        stages = read_json(os.path.join(folder, "status.json"))["stages"]
    except (OSError, ValueError, KeyError):
        return {}
    return {each["name"]: each["seconds"] for each in stages}


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return [line.rstrip() for line in file if line.startswith(("version:", "built"))]


def main(config_path: str, tree: str, folder: str) -> int:
    """Write the manifest into the release's folder.

    Raises:
        Stop: the binary is not for the architecture that was asked for.
    """
    config: dict[str, Any] = read_json(config_path)
    made_with: dict[str, Any] = compilers(tree)
    cuda: dict[str, Any] | None = config["cuda"]
    if cuda is not None:
        found = architectures(os.path.join(folder, "bin", CUDA_LIBRARY), cuda["home"])
        if reason := refusal(cuda["architecture"], found):
            raise Stop(reason)
        cuda |= asdict(found)
        made_with["CUDA host"] = host_compiler(cuda["host_compiler"])
    manifest = {
        **config,
        "version": _lines(os.path.join(folder, "version.txt")),
        "compilers": made_with,
        "seconds": _seconds(os.path.dirname(config_path)),
        "finished": round(time.time()),
    }
    write_json(os.path.join(folder, "release.json"), manifest)
    return 0
