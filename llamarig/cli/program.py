"""How this program is typed here, for lines that name the next command."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def typed() -> str:
    """`llamarig` where PATH has it, else the path it was called by; with sudo where it was used."""
    called = Path(sys.argv[0])
    if shutil.which("llamarig"):
        name = "llamarig"
    elif called.name == "llamarig":
        name = shlex.quote(os.path.relpath(called))
    else:
        name = f"{shlex.quote(sys.executable)} -m llamarig.cli"
    return f"sudo {name}" if os.environ.get("SUDO_USER") else name
