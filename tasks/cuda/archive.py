"""Components of the distribution's own archive (Debian's non-free, Ubuntu's multiverse).

The owner's files are left as they are: what is missing is added in a file of ours, in the format
of the host's own, with the same addresses, suites and keys. It goes by removing that file.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.facts.apt import AptRepo

from llamarig.tasks.facts.apt import AptArchives, Archive
from llamarig.tasks.facts.machine import MachineState
from llamarig.tasks.operations import text_file
from llamarig.tasks.operations.outcome import failure

OURS = "/etc/apt/sources.list.d/llamarig-non-free"
FILES = (f"{OURS}.sources", f"{OURS}.list")
HEAD = "# Written by llamarig, for NVIDIA's packages; the rest is in the host's own files.\n"


def _own(repo: AptRepo, machine: MachineState) -> bool:
    """Whether this is the distribution's own archive and not somebody else's for it."""
    name = machine.distribution
    suites = rf"({machine.codename}|stable|oldstable)(-updates|-security|/updates)?"
    if "main" not in repo.components or not re.fullmatch(suites, repo.distribution):
        return False
    if key := repo.options.get("signed-by"):
        return f"{name}-archive-keyring" in str(key)
    return bool(re.search(rf"[/.]{name}(-security)?(\.list|\.org|\.com)?/?$", repo.url))


def missing(
    archives: Sequence[Archive], machine: MachineState, components: Sequence[str]
) -> list[AptRepo]:
    """The distribution's archives with the components that the owner's files lack for them.

    Raises:
        LookupError: no file names the distribution's archive.
    """
    theirs = [each.repo for each in archives if each.file not in FILES]
    own = {(each.url, each.distribution): each for each in theirs if _own(each, machine)}
    if not own:
        raise LookupError(f"no archive of {machine.distribution} in apt's sources")
    # Never fewer than before: the driver and the toolkit may have asked at different times.
    kept = [name for each in archives if each.file in FILES for name in each.repo.components]
    wanted = list(dict.fromkeys([*components, *kept]))
    found = []
    for (url, suite), repo in own.items():
        have = {
            name
            for each in theirs
            if (each.url, each.distribution) == (url, suite)
            for name in each.components
        }
        if lacking := [name for name in wanted if name not in have]:
            found.append(AptRepo("deb", url, suite, lacking, repo.options))
    return found


def _option(value: str | list[str], separator: str) -> str:
    return value if isinstance(value, str) else separator.join(value)


def render(repos: Sequence[AptRepo], *, deb822: bool) -> str:
    """The text of our file."""
    if not deb822:
        lines = []
        for each in repos:
            options = " ".join(f"{key}={_option(each.options[key], ',')}" for key in each.options)
            bracket = f"[{options}] " if options else ""
            opened = " ".join(each.components)
            lines.append(f"deb {bracket}{each.url} {each.distribution} {opened}\n")
        return HEAD + "".join(lines)
    names = {"arch": "Architectures", "signed-by": "Signed-By", "trusted": "Trusted"}
    stanzas = []
    for each in repos:
        fields = [
            "Types: deb",
            f"URIs: {each.url}",
            f"Suites: {each.distribution}",
            f"Components: {' '.join(each.components)}",
        ]
        fields += [
            f"{names[key]}: {_option(value, ' ')}"
            for key, value in each.options.items()
            if key in names
        ]
        stanzas.append("\n".join(fields) + "\n")
    return HEAD + "\n".join(stanzas)


@operation()
def components(
    machine: MachineState, wanted: Sequence[str]
) -> Generator[PyinfraCommand, None, None]:
    """Have these components of the distribution's archive."""
    archives = host.get_fact(AptArchives)
    try:
        found = missing(archives, machine, wanted)
    except LookupError as error:
        yield failure(
            f"cuda_source: {error}; add its components {' '.join(wanted)} there by hand, "
            "or set another cuda_source"
        )
        return
    ours = {each.file for each in archives if each.file in FILES}
    if not found:
        # The owner's files have them all: ours would only say it twice.
        for path in sorted(ours):
            yield StringCommand(f"rm -f {path}")
        return
    modern = any(
        each.file.endswith(".sources") and _own(each.repo, machine)
        for each in archives
        if each.file not in FILES
    )
    path = FILES[0] if modern else FILES[1]
    for other in sorted(ours - {path}):
        yield StringCommand(f"rm -f {other}")
    yield from text_file.put(path, render(found, deb822=modern))
