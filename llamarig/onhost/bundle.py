"""The on-host programs as one file: a zip that python3 runs, named by its digest.

The name carries the digest so that a job that runs keeps its program while a newer llamarig puts
its own beside it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import zipfile
from importlib.resources import files

PACKAGES = ("llamarig", "llamarig.onhost", "llamarig.measure")
ENTRY = "from llamarig.onhost.__main__ import main\n\nmain()\n"
# Zip knows no earlier date; a fixed one makes equal content equal bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


def _members() -> dict[str, bytes]:
    members = {"__main__.py": ENTRY.encode()}
    for package in PACKAGES:
        folder = files(package)
        names = (
            ["__init__.py"]
            if package == "llamarig"
            else sorted(each.name for each in folder.iterdir() if each.name.endswith(".py"))
        )
        for name in names:
            place = f"{package.replace('.', '/')}/{name}"
            members[place] = folder.joinpath(name).read_bytes()
    return members


@functools.cache
def build() -> tuple[str, bytes]:
    """The file's name (`onhost-<12 hex of its sha256>.pyz`) and its bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(_members().items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    content = out.getvalue()
    return f"onhost-{hashlib.sha256(content).hexdigest()[:12]}.pyz", content
