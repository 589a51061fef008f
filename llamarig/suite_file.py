"""A suite's file as it is read: a bounded text of YAML in which everything is text."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml

from llamarig import yaml_keys
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.values import SUITES

# Fifty prompts of 16 KiB, and what goes around them.
MOST_BYTES = 2**20
# Fifty prompts are 350 values; a file of many more is no suite, and YAML takes long to read it.
MOST_VALUES = 2000
# A prompt's text lies four deep.
DEEPEST = 8


class _Loader(yaml.BaseLoader):
    """Nothing is made a number or a date. Aliases are refused: with them a small file means an
    endless one."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._values, self._depth = 0, 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._values, self._depth = self._values + 1, self._depth + 1
        if self.check_event(yaml.AliasEvent):
            raise UserError("aliases of YAML (*name) are not allowed in a suite")
        if self._values > MOST_VALUES:
            raise UserError(f"more than {MOST_VALUES} values, a suite has fewer")
        if self._depth > DEEPEST:
            raise UserError("nested too deeply, a suite is not")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_scalar(self, node: yaml.ScalarNode) -> str:
        """YAML's escapes can make half of a character, which is no text anywhere else."""
        value = str(super().construct_scalar(node))
        if re.search("[\ud800-\udfff]", value):
            raise UserError(f"{plain(value)[:80]}: half of a character, allowed: text")
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if fault := yaml_keys.twice(node):
            raise UserError(fault)
        return super().construct_mapping(node, deep)


def read(path: Path) -> str:
    """What the file holds.

    Raises:
        UserError: it is missing, no plain file of text, or too large.
    """
    source = plain(str(path))
    try:
        # A FIFO must not keep us waiting for its other end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        known = " and ".join(SUITES)
        raise UserError(
            f"{source}: no such file, and no suite of llamarig's own ({known})"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: can't be read ({_reason(error)})") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UserError(f"{source}: no regular file, allowed: one of YAML")
    try:
        with open(handle, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UserError(f"{source}: larger than {MOST_BYTES // 2**20} MiB, a suite is smaller")
        return content.decode()
    except UnicodeDecodeError:
        raise UserError(f"{source}: no text in UTF-8, allowed: YAML") from None
    except OSError as error:
        raise UserError(f"{source}: can't be read ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def parse(source: str, text: str) -> dict[Any, Any]:
    """The mapping that a text of YAML holds; source: how a line names it.

    Raises:
        UserError: it is no YAML, or not such as a suite has.
    """
    try:
        content = yaml.load(text, _Loader)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        reason = plain(" ".join(str(error).split()))[:200]
        raise UserError(f"{source}: not readable as YAML ({reason})") from None
    if not isinstance(content, dict):
        raise UserError(f"{source}: found no mapping, allowed: about, warmup and prompts")
    return content
