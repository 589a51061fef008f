"""The form of a suite: what each of its parts may be, and what is wrong with one, a line each."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from llamarig.display import plain
from llamarig.faults import nearest, shown
from llamarig.values import Allowed, allowed

MOST_PROMPTS = 50
MOST_PROMPT_BYTES = 16 * 1024


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", value):
        raise ValueError("not a name")
    return value


def _text(value: str) -> str:
    bad = any(unicodedata.category(each) == "Cc" and each not in "\n\t" for each in value)
    if bad or not value.strip() or len(value.encode()) > MOST_PROMPT_BYTES:
        raise ValueError("not a prompt")
    return value.strip()


def _line(value: str) -> str:
    if not _text(value).isprintable():
        raise ValueError("not one line")
    return value.strip()


_Name = Annotated[
    str, AfterValidator(_name), Allowed("1 to 40 letters, digits, _ and -, the first no _ or -")
]
_Text = Annotated[
    str, AfterValidator(_text), Allowed("text without control characters, at most 16 KiB")
]
_Line = Annotated[str, AfterValidator(_line), Allowed("one line of printable text")]


class Prompt(BaseModel):
    """id: how a table names it; kind: its class, such as math."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: _Name
    kind: _Name = Field(alias="class")
    text: _Text


_Prompts = Annotated[
    list[Prompt], Allowed(f"a list of 1 to {MOST_PROMPTS} prompts, each with id, class and text")
]


class Document(BaseModel):
    """A whole suite; warmup is asked first and not measured."""

    model_config = ConfigDict(extra="forbid", strict=True)

    about: _Line
    warmup: _Text
    prompts: _Prompts = Field(min_length=1, max_length=MOST_PROMPTS)


def faults(content: dict[Any, Any]) -> list[str]:
    """All that is wrong with what a suite's YAML holds."""
    if not content.keys() & Document.model_fields.keys():
        # Some other file, which may be secret: none of its text is repeated.
        return ["found neither about, warmup nor prompts, expected all three; it is no suite"]
    lines = [f"prompts: id {each}: found twice, allowed: once" for each in _twice(content)]
    try:
        Document.model_validate(content)
    except ValidationError as error:
        lines = [*(_fault(each) for each in error.errors(include_url=False)), *lines]
    return lines


def _twice(content: dict[Any, Any]) -> list[str]:
    """Ids given more than once; file systems may take capitals for small letters."""
    prompts = content.get("prompts")
    entries = prompts if isinstance(prompts, list) else []
    found = [each.get("id") for each in entries if isinstance(each, dict)]
    counted = Counter(each.lower() for each in found if isinstance(each, str))
    return [plain(each)[:80] for each, count in counted.items() if count > 1]


def _fault(error: ErrorDetails) -> str:
    """Where, what was found, what is allowed. Prompts count from 1."""
    place = [each + 1 if isinstance(each, int) else plain(str(each))[:80] for each in error["loc"]]
    where, last = ".".join(map(str, place)), str(place[-1])
    model: type[BaseModel] = Prompt if len(place) > 2 else Document
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    if error["type"] == "extra_forbidden":
        near = nearest(last, known)
        return f"{where}: unknown key, " + (f"nearest known: {near}" if near else "not allowed")
    if len(place) == 2:
        return f"{where}: found no mapping, allowed: id, class and text"
    found = "nothing" if error["type"] == "missing" else _found(error["input"])
    return f"{where}: found {found}, allowed: {allowed(known[last])}"


def _found(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, str) and len(value) * 4 > MOST_PROMPT_BYTES:
        return f"text of {len(value.encode()) / 1024:.1f} KiB"
    return shown("text", value)
