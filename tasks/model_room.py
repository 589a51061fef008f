"""Whether the model's file fits on a host's disk, said before anything is changed."""

from __future__ import annotations

import os

from pyinfra.context import host

from llamarig.onhost.hub_cache import GIB, Place, no_room
from llamarig.settings import Settings
from llamarig.tasks import model_source
from llamarig.tasks.facts.disk import DiskState
from llamarig.tasks.facts.model_partial import ModelPartial, PartialState


def incoming(settings: Settings, place: Place) -> str:
    """Where the controller sends the file to, in a folder that the login user may write into."""
    return os.path.join(settings.hf_home, "llamarig", f"incoming-{place.sha256}", "model.gguf")


def there(settings: Settings, place: Place) -> PartialState | None:
    """What the current host has of the file, before it is verified."""
    return host.get_fact(
        ModelPartial,
        blob=place.blob,
        suspect=place.suspect,
        partial=place.partial,
        incoming=incoming(settings, place),
    )


def problem(settings: Settings, disk: DiskState | None) -> str | None:
    """The line for a disk that has no room for what is still to come; None where it has, or where
    that can't be told: nobody here could ask the hub for the file's size. disk: hf_home's."""
    try:
        place = model_source.place(settings)
    except ValueError:
        return None
    if place is None or disk is None:
        return None
    spare, free = int(settings.min_free_gib * GIB), disk.path.free
    # Where all of it fits the host is asked nothing more: most runs end here.
    if no_room(place, 0, spare, free) is None or model_source.record(settings) is not None:
        return None
    found = there(settings, place)
    if found is None:
        return None
    line = no_room(place, max(found.blob, found.partial, found.allocated), spare, free)
    return f"{line}; make room there, or set hf_home to another disk" if line else None
