"""Prompt suites: what a proof or a bench asks, as YAML.

    about: <one line>
    warmup: <a short prompt that is not measured>
    prompts:
      - {id: marbles, class: math, text: <the prompt>}

walkthrough and bench are llamarig's own (llamarig/measure/suites); a user's is a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from llamarig import suite_file, suite_form
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.values import SUITES


@dataclass(frozen=True)
class Suite:
    """prompts: {id, class, text} each. digest: of what is asked, 16 hexadecimal digits; two suites
    with the same one ask the same."""

    name: str
    about: str
    warmup: str
    prompts: list[dict[str, str]]
    digest: str


@cache
def load(name_or_path: str) -> Suite:
    """One of llamarig's own suites by its name, or a user's by the path of its file; read once, so
    that the digest is of what is asked even where the file is changed meanwhile.

    Raises:
        UserError: no such suite or file, or, one line each, all that is wrong with it.
    """
    if name_or_path in SUITES:
        own = files("llamarig.measure").joinpath("suites", f"{name_or_path}.yaml")
        return _suite(name_or_path, name_or_path, own.read_text(encoding="utf-8"))
    try:
        path = Path(name_or_path).expanduser()
    except RuntimeError:
        raise UserError(f"{plain(name_or_path)}: no such user's folder") from None
    return _suite(plain(path.stem), plain(str(path)), suite_file.read(path))


def faults(names: Iterable[str]) -> list[str]:
    """What is wrong with these suites, each said once."""
    lines: list[str] = []
    for name in dict.fromkeys(names):
        try:
            load(name)
        except UserError as error:
            lines += str(error).split("\n")
    return lines


def digest(warmup: str, prompts: list[dict[str, str]]) -> str:
    """What is asked, as 16 hexadecimal digits."""
    text = json.dumps({"warmup": warmup, "prompts": prompts}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _suite(name: str, source: str, text: str) -> Suite:
    content = suite_file.parse(source, text)
    if lines := suite_form.faults(content):
        raise UserError("\n".join(f"{source}: {line}" for line in lines))
    found = suite_form.Document.model_validate(content)
    prompts = [{"id": each.id, "class": each.kind, "text": each.text} for each in found.prompts]
    return Suite(name, found.about, found.warmup, prompts, digest(found.warmup, prompts))
