"""The unit that waits for the card: put, left alone, kept while it is wanted, removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.command import FileUploadCommand
from pyinfra.api.connect import connect_all
from pyinfra.context import ctx_host, ctx_state

from llamarig.settings import Settings
from llamarig.tasks.cuda import nodes

CURRENT = "/opt/llamarig/current/llama-server.service"
PREVIOUS = "/opt/llamarig/previous/llama-server.service"
WANTS = [f"Wants={nodes.UNIT}"]
Planned = Callable[..., list[str]]


@pytest.fixture
def planned() -> Planned:
    """What an operation would run on a host that holds these files."""

    def run(operation: Any, files: dict[str, list[str]], **arguments: object) -> list[str]:
        told = {f"head -c 65536 {path} ": lines for path, lines in files.items()}
        data = {"fake_responses": told, "fake_delay": 0, "fake_delay_jitter": 0}
        state = State(Inventory(([("@fake/gpu01", data)], {})), Config())
        with ctx_state.use(state):
            connect_all(state)
            with ctx_host.use(state.inventory.get_host("@fake/gpu01")):
                return [_text(each) for each in operation._inner(**arguments)]

    return run


def _text(command: Any) -> str:
    if isinstance(command, FileUploadCommand):
        return f"upload {command.dest}"
    return str(command)


def there(backend: str, **more: list[str]) -> dict[str, list[str]]:
    unit = nodes.unit(Settings(backend=backend))  # type: ignore[arg-type]
    assert unit
    return {nodes.PATH: unit.splitlines(), nodes.SCRIPT: nodes.script().splitlines(), **more}


@pytest.mark.parametrize("backend", ["cuda", "vulkan"])
def test_a_card_gets_unit_and_script_and_nothing_twice(planned: Planned, backend: str) -> None:
    settings = Settings(backend=backend)  # type: ignore[arg-type]
    first = planned(nodes.awaited, {}, settings=settings)
    assert f"upload {nodes.PATH}" in first
    assert f"upload {nodes.SCRIPT}" in first
    assert "systemctl daemon-reload" in first
    # Whatever starts or restarts it here would touch what serves.
    assert not [line for line in first if "systemctl" in line and "daemon-reload" not in line]
    assert planned(nodes.awaited, there(backend), settings=settings) == []


def test_a_second_card_changes_the_unit(planned: Planned) -> None:
    second = planned(nodes.awaited, there("cuda"), settings=Settings(gpu=1))
    assert [line for line in second if "upload" in line] == [f"upload {nodes.PATH}"]


def test_a_script_that_was_edited_is_put_right(planned: Planned) -> None:
    files = {**there("cuda"), nodes.SCRIPT: ["exit 0"]}
    found = planned(nodes.awaited, files, settings=Settings())
    assert [line for line in found if "upload" in line] == [f"upload {nodes.SCRIPT}"]


def test_the_cpu_has_neither(planned: Planned) -> None:
    settings = Settings(backend="cpu")
    assert planned(nodes.awaited, {}, settings=settings) == []
    (remove, reload) = planned(nodes.awaited, there("cuda"), settings=settings)
    assert f"rm -f {nodes.PATH} {nodes.SCRIPT}" in remove
    assert reload == "systemctl daemon-reload"


@pytest.mark.parametrize("wanting", [CURRENT, PREVIOUS])
def test_it_stays_while_what_serves_or_a_rollback_wants_it(planned: Planned, wanting: str) -> None:
    files = {**there("cuda"), wanting: WANTS}
    assert planned(nodes.awaited, files, settings=Settings(backend="cpu")) == []


def test_leaving_a_host_removes_both_whatever_serves(planned: Planned) -> None:
    found = planned(nodes.gone, {**there("cuda"), CURRENT: WANTS})
    assert f"rm -f {nodes.PATH} {nodes.SCRIPT}" in found[0]
    assert planned(nodes.gone, {}) == []
