"""The recipe against the binary that is to run it: flags drift from build to build."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from llamarig import recipe, report
from llamarig.flags import missing
from llamarig.settings import Settings
from llamarig.tasks import llama_cpp, site
from llamarig.tasks.facts.release import ReleaseHelp
from llamarig.tasks.operations.outcome import failure
from llamarig.tasks.step import step


@step("Recipe")
def check() -> None:
    """The release must know every flag of the recipe."""
    known_to_the_release(name="Check the recipe's flags", settings=site.settings())


def every_flag(settings: Settings) -> list[str]:
    """All that the candidates and the live server are started with, in one command line."""
    argv = recipe.arguments(settings, recipe.Server("llama-server", "model", "", settings.port))
    argv += recipe.watched(settings)
    for each in recipe.credentials(settings):
        argv += [each.flag, each.name]
    return argv


def faults(settings: Settings, release: str) -> list[str]:
    """One line per flag of the recipe that the release would refuse, by its own --help."""
    said = host.get_fact(ReleaseHelp, build_id=release)
    return [f"release {release}: {each}" for each in missing(every_flag(settings), said)]


@operation()
def known_to_the_release(settings: Settings) -> Generator[PyinfraCommand, None, None]:
    """Fail with one line per flag that is gone. Changes nothing."""
    if not state.is_executing:
        return
    release = llama_cpp.release_id(settings)
    if release is None:
        yield failure("no release is known for these settings, so its flags can't be checked")
        return
    lines = faults(settings, release)
    report.record(host.name, recipe_faults=lines)
    if lines:
        yield failure(*lines)
    else:
        host.noop("the release knows every flag of the recipe")
