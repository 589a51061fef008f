"""Which release the settings ask for, on the current host."""

from __future__ import annotations

from llamarig.settings import Settings
from llamarig.tasks import web_ui_choice
from llamarig.tasks.cuda import choice
from llamarig.tasks.llama_cpp_build import build_id
from llamarig.tasks.llama_cpp_source import origin


def release_id(settings: Settings) -> str | None:
    """The release that the settings ask for on the current host; None: not known yet (its source,
    or how its page comes), or no CUDA toolkit fits (building says why)."""
    commit, chosen = origin(settings), choice.current(settings)
    if commit is None or isinstance(chosen, str):
        return None
    known = web_ui_choice.resolved(settings, commit, chosen)
    return build_id(known, commit, chosen) if known else None
