"""The model as a story of its own: `llamarig models get`, or
`pyinfra INVENTORY llamarig.tasks.model_story.get`. Before a window, or over night."""

from __future__ import annotations

from llamarig.tasks import model, preflight


def get() -> None:
    """Preflight and the model; what serves, serves on."""
    preflight.check_for_model()
    model.begin()
    model.await_()
