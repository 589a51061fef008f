"""`llamarig init`: a site of one's own: deploy.py, inventory.py, group_data, .gitignore."""

from __future__ import annotations

import getpass
import json
import re
import shlex
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import click
import jinja2

from llamarig.errors import UserError
from llamarig.site.addresses import SiteHost, parse
from llamarig.site.defaults import defaults

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True)
class Site:
    """What a new site is made from. `key` is a private key's path, `port` that of SSH."""

    hosts: list[SiteHost]
    user: str
    key: str | None = None
    port: int | None = None


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--host", "hosts", multiple=True, metavar="NAME=ADDRESS", help="May be repeated.")
@click.option("--user", help="Who logs in over SSH; needs sudo.")
@click.option("--key", metavar="FILE", help="The private key that logs in.")
@click.option("--port", type=int, help="The port of SSH, if it is not 22.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def init(
    folder: Path,
    hosts: tuple[str, ...],
    user: str | None,
    key: str | None,
    port: int | None,
    yes: bool,
) -> None:
    """Write a commented site into DIR: deploy.py, inventory.py, group_data, .gitignore."""
    _refuse_existing(folder)
    asking = sys.stdin.isatty() and not yes
    texts = list(hosts) or (_ask_hosts() if asking else [])
    if not texts:
        raise UserError("no hosts: give each with --host NAME=ADDRESS")
    if user is None:
        mine = getpass.getuser()
        user = (
            click.prompt("Who logs in on the hosts (needs sudo)", default=mine) if asking else mine
        )
    parsed, faults = parse(texts)
    site = Site(parsed, user, key, port)
    faults += check(site)
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise UserError(f"nothing was written: {len(faults)} fault{'s' * (len(faults) > 1)}")
    for file in write(folder, render(site)):
        click.echo(f"wrote {file}")
    _say_next(folder / "inventory.py")


def _ask_hosts() -> list[str]:
    click.echo("Hosts, one a line, as NAME=ADDRESS or ADDRESS; an empty line ends.")
    texts: list[str] = []
    while text := click.prompt(f"Host {len(texts) + 1}", default="", show_default=False).strip():
        texts.append(text)
    return texts


def check(site: Site) -> list[str]:
    """One line for each thing wrong with how to log in."""
    faults = []
    if not _USER.fullmatch(site.user):
        faults.append(f"--user {site.user!r}: not a user's name")
    if site.port is not None and not 1 <= site.port <= 65535:
        faults.append(f"--port {site.port}: a port is a whole number from 1 to 65535")
    if site.key is not None:
        file = Path(site.key).expanduser()
        if file.suffix == ".pub":
            faults.append(f"--key {site.key}: is the public half, name the file without .pub")
        elif not file.is_file():
            faults.append(f"--key {site.key}: no such file")
    return faults


def render(site: Site) -> dict[str, str]:
    """The files of a site by their paths in it."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # JSON's way to write text is Python's too, and says what a user typed as text only.
    environment.filters["literal"] = lambda value: json.dumps(str(value), ensure_ascii=False)
    template = environment.from_string(_text("inventory.py.j2"))
    key = str(Path(site.key).absolute()) if site.key and not site.key.startswith("~") else site.key
    return {
        "deploy.py": _text("deploy.py.txt"),
        "inventory.py": template.render(hosts=site.hosts, user=site.user, key=key, port=site.port),
        "group_data/all.py": defaults(),
        ".gitignore": _text("gitignore.txt"),
    }


FILES = ("deploy.py", "inventory.py", "group_data/all.py", ".gitignore")


def _text(name: str) -> str:
    return files("llamarig.site").joinpath(name).read_text(encoding="utf-8")


def _refuse_existing(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a folder")
    if existing := [name for name in FILES if (folder / name).exists()]:
        verb = "is" if len(existing) == 1 else "are"
        raise UserError(
            f"{folder}: {', '.join(existing)} {verb} there already, nothing was written"
        )


def write(folder: Path, contents: dict[str, str]) -> list[Path]:
    """Write the files, never over one that is there; all or none. Returns their paths."""
    _refuse_existing(folder)
    written: list[Path] = []
    try:
        for name, text in contents.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as stream:
                written.append(file)
                stream.write(text)
    except OSError as error:
        for file in written:
            file.unlink(missing_ok=True)
        raise UserError(f"{error.filename or folder}: {error.strerror}") from None
    return written


def _say_next(inventory: Path) -> None:
    path = shlex.quote(str(inventory))
    click.echo("next:")
    click.echo(f"  llamarig trust {path}   # the hosts' keys, the login and sudo")
    click.echo(f"  llamarig up {path}")
