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
# The hub's have 37.
MOST_CHARACTERS = 4096
ONE_LINE = "a token is one line of text without spaces"


def token(settings: Settings) -> str | None:
    """The token, or None where there is none: typed for this run, else of the file, else of the
    environment.

    Raises:
        ValueError: hf_token_file can't be read or holds no token; never with its content.
    """
    for source in (TYPED, VARIABLE):
        found = os.environ.get(source, "").strip()
        if found and (source == TYPED or settings.hf_token_file is None):
            return checked(found, source)
    if settings.hf_token_file is None:
        return None
    path = Path(settings.hf_token_file).expanduser()
    return checked(_read(path), f"hf_token_file: {path}")


def checked(found: str, source: str) -> str:
    """The token itself.

    Raises:
        ValueError: it is none; names the source only.
    """
    if not found or not found.isascii() or not found.isprintable() or " " in found:
        raise ValueError(f"{source}: {ONE_LINE}")
    return found


def _read(path: Path) -> str:
    source = f"hf_token_file: {path}"
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"{source}: is no regular file")
        if path.stat().st_mode & 0o077:
            raise ValueError(f"{source}: others can read this token; chmod 600 it")
        with path.open(encoding="ascii") as file:
            return file.read(MOST_CHARACTERS).strip()
    except OSError as error:
        raise ValueError(f"{source}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{source}: {ONE_LINE}") from None


def path(identity: str) -> str:
    """Where a host holds the token while this download runs."""
    return f"{FOLDER}/hf-token-{identity}"
