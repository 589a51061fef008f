"""A refused host is dropped by pyinfra through an operation that fails."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import FunctionCommand, PyinfraCommand
from pyinfra.api.operation import operation


@operation()
def refuse_host(lines: list[str]) -> Generator[PyinfraCommand, None, None]:
    """Fail for this host alone; `lines` were already said."""

    def drop(state: object, host: object) -> bool:
        return not lines

    yield FunctionCommand(drop, (), {})
