"""Who runs this, as hosts note it: in their lock and in their history."""

from __future__ import annotations

import getpass
import os
import socket


def who() -> str:
    """`user@machine`: the person, also where sudo made root of them."""
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    return f"{user}@{socket.gethostname()}"
