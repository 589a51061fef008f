"""`web_ui = "auto"`: how the page comes, decided once per site and held by llamarig.lock.

Built on this machine if that works, else taken by the hosts from the hub, else left out. A host
that has a release already is asked nothing: its release says how it was built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyinfra.context import host

from llamarig.errors import UserError
from llamarig.settings import Settings
from llamarig.tasks import site
from llamarig.tasks.facts.release import Release
from llamarig.tasks.llama_cpp_build import build_id

if TYPE_CHECKING:
    from llamarig.tasks.cuda.choice import Choice

# The order in which auto tries, and the section's only key.
WAYS, KEY = ("build", "hub", "none"), "auto"


def asked(settings: Settings) -> str | None:
    """What the settings or the lock say: build, hub or none; None: auto, and nobody decided."""
    if settings.web_ui != "auto":
        return settings.web_ui
    held = site.lockfile().get("web_ui", KEY).get("how")
    return str(held) if held else None


def hold(how: str) -> None:
    """Write auto's decision down, for all hosts of the site and all later runs."""
    site.lockfile().put("web_ui", KEY, {"how": how})


def resolved(settings: Settings, commit: str, chosen: Choice | None) -> Settings | None:
    """The settings with build, hub or none for auto; None: nobody decided, and the current host
    has no release from which that could be told."""
    if how := asked(settings):
        return settings.model_copy(update={"web_ui": how})
    for how in WAYS:
        each = settings.model_copy(update={"web_ui": how})
        if host.get_fact(Release, build_id=build_id(each, commit, chosen)):
            return each
    return None


def first(
    build: Callable[[], object], at_hub: Callable[[], bool], say: Callable[[str], None]
) -> str:
    """auto: the first way that works; where that is not the first of all, `say` gets one line.

    build: has the page built, or raises a UserError. at_hub: whether the host reaches it there.
    """
    try:
        build()
        return "build"
    except UserError as error:
        why = str(error).removeprefix("web_ui: ")
    if at_hub():
        say(f"web_ui: the page comes from the hub; not built here: {why}")
        return "hub"
    say(
        f"web_ui: none, / will answer 404: the host does not reach the hub, and here: {why}; "
        "held by llamarig.lock, take web_ui out of it to try again"
    )
    return "none"
