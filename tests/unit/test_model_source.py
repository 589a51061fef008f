"""What llamarig.lock holds of a model, and what goes before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyinfra import context
from pyinfra.api.state import State

from llamarig.lockfile import Lockfile, model_key
from llamarig.settings import Settings
from llamarig.tasks import model_source

OLD, NEW = "a" * 64, "b" * 64


def pin(sha256: str) -> dict[str, Any]:
    return {"revision": "c" * 40, "sha256": sha256, "size": 5, "mtp_layers": 1}


@pytest.mark.parametrize(("asked", "held"), [(None, OLD), (OLD, OLD), (NEW, NEW)])
def test_a_pin_stays_unless_the_settings_ask_for_another(
    tmp_path: Path, asked: str | None, held: str
) -> None:
    state: Any = State()
    state.cwd = str(tmp_path)
    lock = Lockfile(tmp_path / "llamarig.lock")
    settings = Settings(model_sha256=asked)
    with context.ctx_state.use(state):
        model_source.write_down(settings, pin(OLD))
        model_source.write_down(settings, pin(NEW))
    assert lock.get("models", model_key(settings))["sha256"] == held
