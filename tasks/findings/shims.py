"""The operator's tools: which are shims, whether they run, and what else leads builds astray.

llamarig builds with absolute paths and a clean environment, so none of this stops a deploy;
whoever builds by hand on the host meets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llamarig.tasks.facts.tool_probe import SESSION_SECONDS, TOOLS
from llamarig.tasks.findings.finding import Finding, Rule, blocker, ok, warning
from llamarig.tasks.findings.platform import supported

if TYPE_CHECKING:
    from llamarig.settings import Settings
    from llamarig.tasks.facts.tools import ToolHit
    from llamarig.tasks.facts.workstation import Workstation

# What llama.cpp's CUDA build asks for (ggml/src/ggml-cuda/CMakeLists.txt).
OLDEST_CMAKE = (3, 18)
SESSIONS = {"login": "the login shell", "plain": "a command over ssh"}
OWNERS = {"asdf": "a shim of asdf", "mise": "a shim of mise", "pyenv": "a shim of pyenv"}
OWNERS |= {"conda": "conda's", "snap": "snap's"}
# Where asdf's plugin and Debian's package are called otherwise than the tool.
PLUGINS = {"g++": "gcc", "python3": "python"}
PACKAGES = {"ninja": "ninja-build"}
# Exit statuses: found but can't be run, not found, timeout's own.
NOT_RUN, TIMED_OUT = (126, 127), 124


def tools(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """What each session finds first, and every shim, also one that another program hides."""
    if not supported(seen.machine):
        return
    absent = []
    for tool in TOOLS:
        hits = [hit for hit in seen.tools.hits if hit.tool == tool]
        first = {session: _first(hits, session) for session in SESSIONS}
        for path in dict.fromkeys(hit.path for hit in hits):
            same = [hit for hit in hits if hit.path == path]
            leading = [hit for hit in same if first[hit.session] is hit]
            if leading:
                yield _judged(leading, settings)
            elif same[0].kind != "program":
                yield ok(tool, f"{_named(same[0])}, lies behind another {tool}")
        if not hits:
            absent.append(tool)
    if absent:
        yield ok("tools", f"not on the operator's PATH: {', '.join(absent)}")


def _first(hits: list[ToolHit], session: str) -> ToolHit | None:
    return next((hit for hit in hits if hit.session == session), None)


def _judged(leading: list[ToolHit], settings: Settings) -> Finding:
    """One path that at least one session finds first."""
    broken = [hit for hit in leading if hit.status != 0]
    hit = broken[0] if broken else leading[0]
    where = " and ".join(SESSIONS[each.session] for each in broken or leading)
    if broken:
        found = f"{_named(hit)}, {_failure(hit)} in {where}{_aside(hit)}"
        return warning(hit.tool, found, _fix(hit))
    if hit.tool == "nvcc" and hit.kind != "program" and settings.backend == "cuda":
        found = f"{_named(hit)} ({hit.version}), comes first in {where}; two toolkits mix"
        return warning("nvcc", found, _fix(hit))
    runs = ", runs" if hit.kind != "program" else ""
    return ok(hit.tool, f"{_named(hit)}{runs} ({hit.version or 'says no version'})")


def _named(hit: ToolHit) -> str:
    return f"{hit.path}, {OWNERS[hit.kind]}" if hit.kind in OWNERS else hit.path


def _failure(hit: ToolHit) -> str:
    if hit.status == TIMED_OUT:
        return "does not answer --version within 5 s"
    return f"exits {hit.status}" + (f" ({hit.version})" if hit.version else "")


def _aside(hit: ToolHit) -> str:
    """The pitfall that the walkthrough fell into."""
    if hit.tool == "cmake" and hit.status in NOT_RUN:
        return ": the walkthrough's build broke here; llamarig itself calls /usr/bin/cmake"
    return ""


def _fix(hit: ToolHit) -> str:
    """For builds by hand; llamarig never edits what is the operator's."""
    plain = f"/usr/bin/{hit.tool}"
    if hit.kind == "program" and hit.target.startswith("/usr/bin/") and hit.tool != "nvcc":
        return f"apt-get install --reinstall {PACKAGES.get(hit.tool, hit.tool)}"
    if hit.kind == "asdf":
        line = f"{PLUGINS.get(hit.tool, hit.tool)} system"
        return f"by hand: echo '{line}' >> ~/.tool-versions, or call {plain}"
    if hit.kind == "pyenv":
        return f"by hand: pyenv global system, or call {plain}"
    if hit.tool == "nvcc":
        return "by hand: call bin/nvcc of the toolkit that is meant"
    return f"by hand: call {plain}"


def own_cmake(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """The cmake that llamarig calls; where there is none, toolchain installs it."""
    if not supported(seen.machine):
        return
    found = seen.compilers.cmake
    version = ".".join(str(part) for part in found)
    if not found:
        yield ok("/usr/bin/cmake", "absent, llamarig installs it")
    elif found >= OLDEST_CMAKE or settings.backend != "cuda":
        yield ok("/usr/bin/cmake", version)
    else:
        fix = "install a later one there, as Debian 12 and Ubuntu 22.04 have it"
        yield blocker("/usr/bin/cmake", f"{version} found, 3.18 or later needed for CUDA", fix)


def stray_environments(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    """A virtual environment made in such a session takes that interpreter."""
    found: dict[tuple[str, str], list[str]] = {}
    for key, value in seen.tools.variables.items():
        session, _, name = key.partition(" ")
        found.setdefault((name, value), []).append(SESSIONS.get(session, session))
    for (name, value), sessions in found.items():
        fix = f"unset {name}, where ~/.profile, ~/.bashrc or /etc/environment sets it"
        if name == "CONDA_PREFIX":
            fix = "conda config --set auto_activate_base false"
        where = " and ".join(sessions)
        yield warning(name, f"{value} in {where}: builds by hand take its interpreter", fix)


def hung_sessions(seen: Workstation, settings: Settings) -> Iterator[Finding]:
    for session in seen.tools.hung:
        where = SESSIONS.get(session, session)
        yield warning(
            "session",
            f"{where} did not get as far as a command within {SESSION_SECONDS} s, or ended before",
            "look at ~/.profile and ~/.bashrc",
        )


RULES: tuple[Rule, ...] = (tools, own_cmake, stray_environments, hung_sessions)
