"""The page as an archive in this machine's cache, named by what it was built from.

Built in a folder of its own and renamed when it is whole, so a run that is killed leaves nothing
that looks finished; what it leaves, the next build removes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llamarig import cache
from llamarig.display import duration
from llamarig.errors import UserError
from llamarig.web_ui import node
from llamarig.web_ui.programs import Account, account, environment, run
from llamarig.web_ui.source import Source, fetch, resolve

LOCK_PATIENCE = 3600.0
INSTALL_SECONDS, BUILD_SECONDS = 1800, 1800
# Counts in the archive's name; to be raised when the same source is built in another way.
RECIPE = 1
# What a page has besides its pictures; llama.cpp's cmake wants more, and says so.
NEEDED = ("index.html", "build.json", "sw.js", "manifest.webmanifest")

Say = Callable[[str], None]


def folder() -> Path:
    return cache.root() / "web-ui"


def place(source: Source) -> Path:
    """Where the archive of this source's page lies or would lie."""
    made_from = [source.kind, source.tag, source.pin, node.VERSION, RECIPE]
    digest = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]
    return folder() / f"page-{source.tag}-{digest}.tar.gz"


def cached(source: Source) -> bytes | None:
    """The archive, if it is there and whole."""
    try:
        content = place(source).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            names = set(archive.getnames())
    except (OSError, EOFError, tarfile.TarError, ValueError):
        return None
    return content if names.issuperset(NEEDED) else None


def archive(dist: Path) -> bytes:
    """A folder's files as a tar.gz; the same files give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in sorted(dist.rglob("*")):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                entry = tarfile.TarInfo(str(path.relative_to(dist)))
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


def commit(url: str, tag: str) -> str:
    """The commit that a tag names, as this machine sees it.

    Raises:
        UserError: it can't be asked, or has no such tag.
    """
    with _alone("ask") as (here, who, log):
        return resolve(url, tag, who, here, log)


def ensure(source: Source, say: Say) -> bytes:
    """The page's archive, built if this machine has none.

    Raises:
        UserError: it can't be built; one line with the reason, and the log's path.
    """
    if found := cached(source):
        return found
    with _alone(place(source).name.split(".")[0]) as (here, who, log):
        if found := cached(source):  # by whom we waited for
            return found
        begun = time.monotonic()
        say(
            f"web_ui: building llama.cpp's page on this machine, with Node {node.VERSION} (a "
            "minute or two, once)"
        )
        made = _build(source, here, who, log)
        _keep(place(source), made)
        took = duration(time.monotonic() - begun)
        say(f"web_ui: the page is built, {len(made) / 1e6:.1f} MB, in {took}")
        return made


@contextmanager
def _alone(name: str) -> Iterator[tuple[Path, Account, Path]]:
    """The cache's folder for us alone, the account that programs run as, and an empty log."""
    here = folder()
    try:
        here.mkdir(parents=True, exist_ok=True)
        with cache.locked(cache.root() / "locks" / "web-ui.lock", "the web UI", LOCK_PATIENCE):
            for left in here.glob("work-*"):
                left.unlink() if left.is_file() else shutil.rmtree(left, ignore_errors=True)
            log = here / f"{name}.log"
            log.unlink(missing_ok=True)
            # A registry's address may hold credentials, and a program may print it.
            log.touch(mode=0o600)
            yield here, account(here), log
    except OSError as error:
        raise UserError(f"web_ui: {error.filename or here}: {error.strerror}") from None


def _build(source: Source, here: Path, who: Account, log: Path) -> bytes:
    tools = node.ensure(here, who, log)
    work = Path(tempfile.mkdtemp(prefix="work-", dir=here))
    try:
        if who.uid is not None and who.gid is not None:
            shutil.chown(work, who.uid, who.gid)
        for name in ("source", "home", "npm", "dist"):
            (work / name).mkdir()
            if who.uid is not None and who.gid is not None:
                shutil.chown(work / name, who.uid, who.gid)
        tree = fetch(source, work / "source", node.python(tools), who, log)
        _npm(source, work, tree, str(node.programs(tools)), who, log)
        missing = [name for name in NEEDED if not (work / "dist" / name).is_file()]
        if missing:
            raise UserError(f"web_ui: npm run build made no {', '.join(missing)}; see {log}")
        return archive(work / "dist")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _npm(source: Source, work: Path, tree: Path, path: str, who: Account, log: Path) -> None:
    """No package's install script runs, and the build, which runs much of theirs, knows no
    registry and has an empty home."""
    npm = f"{path}/npm"
    install = [
        npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress",
        "--fetch-retries=1", "--fetch-timeout=60000", "--cache", str(work / "npm"),
    ]  # fmt: skip
    env = environment(who, "NPM_CONFIG_", path=path)
    run("npm ci", install, who, env, tree, log, INSTALL_SECONDS)
    own = {
        "PATH": env["PATH"],
        "HOME": str(work / "home"),
        "LANG": "C.UTF-8",
        "CI": "true",
        # As llama.cpp's own scripts/ui-assets.cmake gives them.
        "LLAMA_UI_OUT_DIR": str(work / "dist"),
        "LLAMA_UI_VERSION": source.tag,
        "LLAMA_BUILD_NUMBER": source.number,
    }
    build = [npm, "run", "build", "--no-update-notifier", "--cache", str(work / "npm")]
    run("npm run build", build, who, own, tree, log, BUILD_SECONDS)


def _keep(where: Path, content: bytes) -> None:
    """Give it its name when all of it is on the disk."""
    temporary = where.with_name(f"work-{where.name}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(where)
