"""The web UI's page: at hand before anything is changed, wherever it comes from."""

from __future__ import annotations

from collections.abc import Generator

from gevent.lock import BoundedSemaphore
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig.display import say
from llamarig.errors import UserError
from llamarig.settings import Settings
from llamarig.tasks import llama_cpp_source, web_ui_choice
from llamarig.tasks.cuda import choice
from llamarig.tasks.facts.hub_web_ui import HubWebUi
from llamarig.tasks.facts.release import Release
from llamarig.tasks.llama_cpp_build import build_id
from llamarig.tasks.operations.outcome import failure
from llamarig.web_ui import page as pages
from llamarig.web_ui import source

# One host has it decided and built, the others take that.
_deciding = BoundedSemaphore(1)
WORDS = {
    "build": "page built on this machine",
    "hub": "page from the hub",
    "none": "without the page",
}
MEND = 'set web_ui to "none" to do without the page'


@operation()
def provide(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Have the page where the host is about to build a release; changes nothing on the host.

    A page that was asked for and can't be had fails here, before anything is installed.
    """
    if not state.is_executing:
        return
    problem = None if _released(settings) else decide(settings)
    if problem:
        yield failure(problem)
    else:
        host.noop(f"web UI: {WORDS.get(web_ui_choice.asked(settings) or '', 'as released')}")


def announced(settings: Settings) -> str:
    """How the page will come, for the title of an operation."""
    return WORDS.get(web_ui_choice.asked(settings) or "", "page: built here, or from the hub")


def _released(settings: Settings) -> bool:
    """Whether the host has the release, or can't have one (building says why)."""
    commit, chosen = llama_cpp_source.origin(settings), choice.current(settings)
    if isinstance(chosen, str):
        return True
    known = web_ui_choice.resolved(settings, commit, chosen) if commit else None
    if known is None or commit is None:
        return False
    return bool(host.get_fact(Release, build_id=build_id(known, commit, chosen)))


def decide(settings: Settings) -> str | None:
    """Have the page as settings or lock want it, or find out how it can come; the one line that
    says why that can't be."""
    with _deciding:
        how = web_ui_choice.asked(settings)
        try:
            if how is None:
                how = web_ui_choice.first(
                    lambda: page(settings),
                    lambda: _at_hub(settings),
                    lambda line: say(host.name, line),
                )
                web_ui_choice.hold(how)
            elif how == "build":
                page(settings)
            elif how == "hub" and not _at_hub(settings):
                return f"web_ui: the host does not reach the page at the hub; {_mend(settings)}"
        except UserError as error:
            return f"{error}; {_mend(settings)}" if how == "build" else str(error)
    return None


def _mend(settings: Settings) -> str:
    held = ", or take web_ui out of llamarig.lock to choose anew"
    return MEND + (held if settings.web_ui == "auto" else "")


def _at_hub(settings: Settings) -> bool:
    return bool(host.get_fact(HubWebUi, tag=settings.llama_cpp_tag))


def page(settings: Settings) -> bytes:
    """The page's archive, built on this machine if it has none.

    Raises:
        UserError: it can't be had, in one line.
    """
    pin = llama_cpp_source.pinned(settings)
    if pin is None:
        # The host may have no git yet. What this machine sees is held, and the host checks it.
        pin = pages.commit(settings.llama_cpp_url, settings.llama_cpp_tag)
        llama_cpp_source.write_down(settings, pin)
    return pages.ensure(source.of(settings, pin), lambda line: say(host.name, line))
