"""A git origin for llama.cpp, made from the source package: a real clone without upstream.

One commit with fixed author, date and modes, so that its id is the same on every machine and can
be pinned. It is not upstream's commit: the package does not carry that.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from llamarig.errors import UserError
from llamarig.rehearsal import sources
from llamarig.rehearsal.state import cache_root

TAG = f"b{sources.BUILD_NUMBER}"
REPOSITORY = "llama.cpp.git"
# The commit that `commit` makes of the tree in sources.NAME; checked in `ensure`.
COMMIT = "f1a25c0bde609700503184fa67f5bd7c624f6c43"

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "llamarig",
    "GIT_AUTHOR_EMAIL": "rehearsal@llamarig.invalid",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00+0000",
    "GIT_COMMITTER_NAME": "llamarig",
    "GIT_COMMITTER_EMAIL": "rehearsal@llamarig.invalid",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00+0000",
    "LC_ALL": "C",
    "TZ": "UTC",
}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def commit(tree: Path) -> str:
    """Make a repository of a folder, with everything in it as one commit; returns its id."""
    _git(tree, "init", "--quiet", "--initial-branch=master", "--object-format=sha1")
    _git(tree, "config", "core.fileMode", "true")
    _git(tree, "config", "core.autocrlf", "false")
    # A collection in the background would write into a folder that is about to go.
    _git(tree, "config", "gc.auto", "0")
    # -f: the tree's own .gitignore must not make files disappear.
    _git(tree, "add", "--all", "--force")
    _git(tree, "commit", "--quiet", "--message", f"llama.cpp {TAG}")
    _git(tree, "tag", TAG)
    return _git(tree, "rev-parse", "HEAD")


def folder() -> Path:
    """What a git daemon serves."""
    return cache_root() / "origin"


def ensure() -> Path:
    """The bare repository in the cache, made if it is not there or holds another commit.

    Raises:
        UserError: the commit is another one than on every other machine.
    """
    return publish(folder() / REPOSITORY, sources.tree, COMMIT)


def publish(place: Path, fill: Callable[[Path], None], expected: str) -> Path:
    """A bare repository at `place` with what `fill` puts into a folder, whole or not at all."""
    if _tagged(place) == expected:
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        tree, bare = Path(temporary) / "tree", Path(temporary) / "bare"
        tree.mkdir()
        fill(tree)
        found = commit(tree)
        if found != expected:
            raise UserError(f"the git origin's commit came out as {found}, expected {expected}")
        _git(Path(temporary), "clone", "--quiet", "--bare", str(tree), str(bare))
        _git(bare, "config", "uploadpack.allowFilter", "true")
        if _tagged(place) != expected and place.exists():  # of another build, or damaged
            place.replace(Path(temporary) / "old")
        try:
            bare.replace(place)
        except OSError:  # another run was faster, and its repository is the same
            if _tagged(place) != expected:
                raise
    return place


def _tagged(place: Path) -> str | None:
    """The commit that the tag names in a bare repository, if there is one."""
    try:
        return _git(place, "--git-dir=.", "rev-parse", "--verify", "--quiet", f"{TAG}^{{commit}}")
    except subprocess.CalledProcessError:
        return None
