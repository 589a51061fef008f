"""The on-host programs: one deterministic file that needs nothing but the standard library."""

from __future__ import annotations

import ast
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

from llamarig.onhost.bundle import build

# fetch.py runs under the environment that holds the hub's client, swarm.py where the distribution's
# libtorrent is installed; both import them late.
ALLOWED = {"llamarig", "huggingface_hub", "libtorrent"}


def test_the_name_is_the_digest_of_the_bytes() -> None:
    name, content = build()
    assert name == f"onhost-{hashlib.sha256(content).hexdigest()[:12]}.pyz"
    build.cache_clear()
    assert build() == (name, content)


def test_nothing_beyond_the_standard_library() -> None:
    archive = zipfile.ZipFile(io.BytesIO(build()[1]))
    for name in archive.namelist():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(archive.read(name))):
            if isinstance(node, ast.Import):
                roots = [each.name.split(".")[0] for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                roots = [(node.module or "").split(".")[0]]
                module = node.module or ""
                if module.startswith("llamarig"):
                    assert module.startswith(("llamarig.onhost", "llamarig.measure")), (
                        name,
                        module,
                    )
            else:
                continue
            assert set(roots) <= set(sys.stdlib_module_names) | ALLOWED, (name, roots)


def test_it_runs_by_itself(tmp_path: Path) -> None:
    name, content = build()
    path = tmp_path / name
    path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-I", str(path), "job"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("llamarig: usage: job|fetch|")
