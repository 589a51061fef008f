"""Building as a story of its own: `llamarig build`, or
`pyinfra INVENTORY llamarig.tasks.build_story.run`. Before a window, or before the card is there."""

from __future__ import annotations

from llamarig.tasks import llama_cpp, preflight, recipe_flags, toolchain


def run() -> None:
    """Preflight, compilers, the release; nothing is staged and what serves, serves on."""
    preflight.check_for_build()
    toolchain.install()
    llama_cpp.build()


def check() -> None:
    """The same, then the recipe's flags against the release's own --help."""
    preflight.check_for_build()
    toolchain.install()
    llama_cpp.build()
    recipe_flags.check()
