"""Which CUDA toolkit a deploy would take, and whether gcc, glibc and driver go with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.cuda import table
from llamarig.tasks.cuda import advice
from llamarig.tasks.cuda.choice import Choice, Unfit, distribution, driver_branch, select
from llamarig.tasks.findings.cards import too_old
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning
from llamarig.tasks.findings.platform import supported

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.workstation import Workstation

# Releases whose archive has no glslc, which llama.cpp's Vulkan shaders need.
NO_GLSLC = {("ubuntu", "22.04")}
# Not tried: the headers are older than any that we built with.
UNTRIED_VULKAN = {("debian", "12")}


def _choices(seen: Workstation, settings: Settings) -> tuple[Choice | Unfit, Choice | Unfit] | None:
    """What is taken if NVIDIA's repository answers the host, and if not: asked only by a deploy."""
    if settings.backend != "cuda" or seen.machine is None:
        return None
    if not supported(seen.machine) or too_old(seen, settings):
        return None  # nothing here would mend that
    machine, compilers, toolkits = seen.machine, seen.compilers, seen.toolkits
    branch = driver_branch(settings, seen.driver.loaded, distribution(machine, compilers))
    coming, live = not seen.driver.loaded, seen.live_toolkit
    answering, silent = (
        select(settings, machine, compilers, toolkits, answers, branch, coming, live)
        for answers in (True, False)
    )
    return answering, silent


def _told(choice: Choice) -> str:
    return f"CUDA {choice.version} in {choice.home} with {choice.compiler_package}"


def toolkit(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The source that is taken and why, or why there is none."""
    found = _choices(seen, settings)
    if found is None:
        return
    answering, silent = found
    if isinstance(answering, Unfit):
        yield blocker(answering.topic, answering.found, answering.fix)
    elif answering == silent:
        yield ok("cuda_source", f"{answering.source}: {_told(answering)}, {answering.why}")
    else:
        otherwise = (
            silent.found if isinstance(silent, Unfit) else f"{silent.source}, {_told(silent)}"
        )
        yield ok(
            "cuda_source",
            f"{answering.source} if NVIDIA's repository answers: {_told(answering)}, "
            f"{answering.why}; else {otherwise}",
        )


def driver(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The driver that is there or to come against the recommended one of what would be built.

    One below the minimum lets no toolkit fit, which is the rule above.
    """
    found = _choices(seen, settings)
    if found is None or seen.machine is None:
        return
    here = distribution(seen.machine, seen.compilers)
    if settings.driver == "install" and not seen.driver.loaded and advice.unserved(settings, here):
        yield blocker(
            "driver",
            f"{here} has no driver for sm_{settings.cuda_architecture} that llamarig knows",
            advice.driver(settings, here),
        )
        return
    branch = driver_branch(settings, seen.driver.loaded, here)
    choice = next((each for each in found if isinstance(each, Choice)), None)
    if not branch or choice is None:
        return
    minimum, recommended = table.needed_driver(table.parse(choice.version))
    is_ = f"{seen.driver.loaded} is loaded" if seen.driver.loaded else f"{here} has {branch}"
    if branch < recommended:
        way = "upgrade it to" if seen.driver.loaded else "install by hand"
        yield warning(
            "driver",
            f"{is_}, enough for CUDA {choice.version} ({minimum} or later)",
            f"{way} {recommended} or later, which is recommended",
        )
    else:
        yield ok("driver", f"{is_}, CUDA {choice.version} needs {minimum} or later")


def vulkan(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The shader compiler that a Vulkan build needs."""
    if settings.backend != "vulkan" or not seen.machine or not supported(seen.machine):
        return
    where = (seen.machine.distribution, seen.machine.version)
    if where in NO_GLSLC:
        yield blocker(
            "backend",
            "Ubuntu 22.04 has no package glslc, which a Vulkan build needs",
            'upgrade to Ubuntu 24.04, or set backend = "cuda"',
        )
    elif where in UNTRIED_VULKAN:
        yield warning(
            "backend",
            "a Vulkan build was not tried with Debian 12's headers (1.3.239)",
            "upgrade to Debian 13 if it fails",
        )


def render_node(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """Vulkan finds a GPU by its render node; NVIDIA's driver has nodes of its own besides."""
    if settings.backend != "vulkan" or seen.render_nodes or seen.driver.loaded:
        return
    yield warning(
        "backend",
        "no render node: only Mesa's software device, which is slower than the CPU backend",
        'seat a GPU and load its kernel driver, or set backend = "cpu"',
    )


RULES: tuple[Rule, ...] = (toolkit, driver, vulkan, render_node)
