"""A YAML file that llamarig writes into a site: read whatever it holds, written whole, by one run
at a time. Several runs of a site, and several hosts of a run, write the same file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llamarig import yaml_keys
from llamarig.display import plain
from llamarig.errors import UserError

# Ten thousand tuned hosts; YAML takes seconds to read it.
MOST_BYTES = 8 * 2**20


class _Loader(yaml.SafeLoader):
    """Says in which line a value is none (the 31st of February, say), and takes no key twice."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            if not isinstance(node, yaml.ScalarNode):
                raise
            raise ValueError(f"line {node.start_mark.line + 1}: {error}") from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if fault := yaml_keys.twice(node):
            raise ValueError(fault)
        return super().construct_mapping(node, deep)


class SiteFile:
    """The file at `path`, or the one that a link there leads to; a missing file holds nothing.

    header: comments that it begins with. mend: what a user does about a damaged one. holds: what
    it is expected to hold. blank: whether one with nothing in it is sound, and holds nothing.
    """

    def __init__(
        self, path: Path, *, header: str, mend: str, holds: str = "a mapping", blank: bool = True
    ) -> None:
        self.path, self.mend = path, mend
        self._header, self._holds, self._blank = header, holds, blank

    def _text(self) -> str | None:
        """What the file holds; None where there is none."""
        try:
            # A FIFO must not keep us waiting for its other end.
            handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise UserError(f"{self.path}: no regular file; {self.mend}")
        if os.fstat(handle).st_size > MOST_BYTES:
            os.close(handle)
            raise UserError(f"{self.path}: more than {MOST_BYTES} bytes; {self.mend}")
        with open(handle, encoding="utf-8") as file:
            return file.read()

    def read(self) -> dict[Any, Any]:
        """The mapping that the file holds, its keys and values as YAML gives them.

        Raises:
            UserError: it can't be read, or is no YAML, or holds something else.
        """
        try:
            text = self._text()
            content = {} if text is None else yaml.load(text, _Loader)
        except UserError:
            raise
        except OSError as error:
            raise UserError(f"{self.path}: can't be read ({error.strerror})") from None
        except RecursionError:
            raise UserError(f"{self.path}: nested too deeply; {self.mend}") from None
        except Exception as error:
            # PyYAML lets through whatever a malformed value raises in its constructors.
            reason = plain((str(error).splitlines() or [type(error).__name__])[0])
            raise UserError(f"{self.path}: not readable as YAML ({reason}); {self.mend}") from None
        if content is None and self._blank:
            return {}
        if not isinstance(content, dict):
            raise UserError(f"{self.path}: expected {self._holds}; {self.mend}")
        return content

    @contextlib.contextmanager
    def alone(self, *, make_folder: bool = False) -> Iterator[None]:
        """Two runs of a site must not lose each other's entries; the folder itself is the lock."""
        with contextlib.ExitStack() as stack:
            try:
                folder = self._target().parent
                if make_folder:
                    folder.mkdir(exist_ok=True)
                handle = os.open(folder, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
                # Said, not left to the close, which gevent does only when its loop goes on: until
                # then we would wait for ourselves.
                stack.callback(fcntl.flock, handle, fcntl.LOCK_UN)
            except OSError as error:
                raise UserError(f"{self.path}: can't be locked ({error.strerror})") from None
            yield

    def write(self, content: dict[Any, Any], **form: Any) -> None:
        """Replace what it holds; a reader sees the old or the new. form: as yaml.safe_dump has it.

        Raises:
            UserError: it can't be written.
        """
        target = self._target()
        temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        text = self._header + yaml.safe_dump(content, **form)
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise UserError(f"{self.path}: can't be written ({error.strerror})") from None

    def _target(self) -> Path:
        """The file itself: a link to one that sites share stays a link."""
        return Path(os.path.realpath(self.path))
