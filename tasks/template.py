"""The files of templates/ that are Jinja's, compiled."""

from __future__ import annotations

from functools import cache
from importlib.resources import files as package_files

import jinja2


@cache  # once a process: a site's hosts ask for the same ones again and again
def compiled(name: str) -> jinja2.Template:
    """The template in the file NAME.j2; what it is not told and asks for is an error."""
    text = package_files("llamarig.templates").joinpath(f"{name}.j2").read_text()
    environment = jinja2.Environment(
        trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    return environment.from_string(text)
