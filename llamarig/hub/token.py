"""The hub's token: from a file or the environment of this machine, lent to a host in memory."""

from __future__ import annotations

import os
from pathlib import Path

from llamarig.settings import Settings

VARIABLE = "HF_TOKEN"
# How the token that was typed reaches the run that asked for it.
TYPED = "LLAMARIG_HF_TOKEN"
# Below /run: in memory, root's alone, gone at boot at the latest.
FOLDER = "/run/llamarig"
ONE_LINE = "a token is one line of text without spaces"


def token(settings: Settings) -> str | None:
    """The token, or None where there is none: typed for this run, else of the file, else of the
    environment.

    Raises:
        ValueError: hf_token_file can't be read or holds no token; never with its content.
    """
    if settings.hf_token_file is None or os.environ.get(TYPED):
        source = TYPED if os.environ.get(TYPED) else VARIABLE
        found = os.environ.get(source, "").strip()
        if not found:
            return None
    else:
        source = f"hf_token_file: {settings.hf_token_file}"
        try:
            found = Path(settings.hf_token_file).expanduser().read_text(encoding="ascii").strip()
        except OSError as error:
            raise ValueError(f"{source}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"{source}: {ONE_LINE}") from None
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise ValueError(f"{source}: {ONE_LINE}")
    return found


def path(identity: str) -> str:
    """Where a host holds the token while this download runs."""
    return f"{FOLDER}/hf-token-{identity}"
