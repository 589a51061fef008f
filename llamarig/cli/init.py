"""`llamarig init`: a site of one's own: deploy.py, inventory.py, group_data, .gitignore."""

from __future__ import annotations

import getpass
import json
import re
import shlex
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import click
import jinja2

from llamarig.cli.connections import key_fault
from llamarig.cli.terminal import can_ask
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


def _folder(context: click.Context, argument: click.Parameter, text: str) -> Path:
    """To Path an empty DIR, such as a shell's unset variable, would be the current folder."""
    if not text:
        raise UserError("DIR is empty: name the folder to write into (. for this one)")
    return Path(text)


@click.command()
@click.argument("folder", metavar="DIR", callback=_folder)
@click.option("--host", "hosts", multiple=True, metavar="NAME=ADDRESS", help="May be repeated.")
@click.option("--user", help="Who logs in over SSH; needs sudo.")
@click.option("--key", metavar="FILE", help="The private key that logs in.")
@click.option("--port", type=int, help="The port of SSH, if it is not 22.")
@click.option("--yes", is_flag=True, help="Ask nothing; the user is yours if --user is not given.")
def init(
    folder: Path,
    hosts: tuple[str, ...],
    user: str | None,
    key: str | None,
    port: int | None,
    yes: bool,
) -> None:
    """Write a commented site into DIR.

    It is deploy.py, inventory.py, group_data and .gitignore."""
    _refuse_existing(folder)
    asking = can_ask() and not yes
    texts = list(hosts)
    if not hosts and asking:
        texts, user, key = _ask_hosts(), user or _ask_user(), key or _ask_key()
    elif user is None and asking:
        user = _ask_user()
    elif user is None and yes:
        user = getpass.getuser()
        click.echo(f"user: {user}, as here (--user names another)")
    parsed, faults = parse(texts)
    site = Site(parsed, user or "", key, port)
    if not texts:
        faults.append("no hosts: give each with --host NAME=ADDRESS")
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

    def sound(text: str) -> str:
        if text.strip() and (faults := parse([*texts, text])[1]):
            raise click.UsageError("; ".join(faults))
        return text.strip()

    while True:
        text = click.prompt(
            f"Host {len(texts) + 1}", default="", show_default=False, value_proc=sound
        )
        if text:
            texts.append(text)
        elif texts:
            return texts
        else:
            click.echo("At least one, please (Ctrl-C ends).")


def _ask_user() -> str:
    def sound(text: str) -> str:
        if fault := _user_fault(text):
            raise click.UsageError(fault)
        return text

    return str(
        click.prompt(
            "Who logs in on the hosts (needs sudo)", default=getpass.getuser(), value_proc=sound
        )
    )


def _ask_key() -> str | None:
    def sound(text: str) -> str:
        if text and (fault := key_fault(Path(text).expanduser().absolute(), None)):
            raise click.UsageError(fault)
        return text

    words = "Private key that logs in (empty: the agent's, and the usual files)"
    return click.prompt(words, default="", show_default=False, value_proc=sound) or None


def _user_fault(user: str) -> str | None:
    if not user:
        return "no user: say who logs in with --user NAME"
    return None if _USER.fullmatch(user) else f"--user {user!r}: not a user's name"


def check(site: Site) -> list[str]:
    """One line for each thing wrong with how to log in."""
    faults = []
    if fault := _user_fault(site.user):
        faults.append(fault)
    if site.port is not None and not 1 <= site.port <= 65535:
        faults.append(f"--port {site.port}: a port is a whole number from 1 to 65535")
    if site.key is not None:
        fault = key_fault(Path(site.key).expanduser().absolute(), None)
        faults += [f"--key {fault}"] if fault else []
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
    click.echo(f"  llamarig trust {path}    # the hosts' keys, the login and sudo")
    click.echo(f"  llamarig doctor {path}   # what stands in the way")
    click.echo(f"  llamarig plan {path}     # what would be done")
    click.echo(f"  llamarig up {path}")
