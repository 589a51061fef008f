"""rehearse: a made host, deployed to and proven by the same code as a real one."""

from __future__ import annotations

import sys
from importlib.resources import files as package_files
from pathlib import Path

import click

from llamarig.cli import checks, deploy, rolling, runner, table
from llamarig.cli.program import typed
from llamarig.rehearsal.lab import Lab
from llamarig.rehearsal.state import State

INVENTORY = "from llamarig.rehearsal.inventory import hosts as _hosts\n\nhosts = _hosts()\n"


@click.command()
@click.option("--hosts", "count", type=click.IntRange(1, 8), default=1, help="How many hosts.")
@click.option("--yes", is_flag=True, help="Install missing programs without asking.")
@deploy.json_option
def rehearse(count: int, yes: bool, json_path: Path | None) -> None:
    """Deploy to made hosts on this machine, MTP on the CPU.

    They are left serving; `llamarig lab down` takes them away."""

    def agreed(question: str) -> bool:
        return yes or (sys.stdin.isatty() and click.confirm(question, err=True))

    lab = Lab(say=lambda line: click.echo(line, err=True))
    lab.up(count, services=True, agreed=agreed)
    place = inventory(lab)
    result = runner.run(place, checks.DEPLOY)
    deploy.finish(result, json_path)
    table.show(result.hosts)
    if not deploy.proven(result):
        for line in rolling.ending(result, f"{typed()} rehearse"):
            click.echo(line, err=True)
        click.echo(f"what was made is still there; throw it away: {typed()} lab down", err=True)
        sys.exit(1)
    _what_next(result, place, lab.state)


def inventory(lab: Lab) -> Path:
    """The checkout's own inventory, or, for an installed llamarig, a site in the lab's folder."""
    here = Path.cwd() / "inventory" / "rehearsal.py"
    if here.is_file() and (Path.cwd() / checks.DEPLOY).is_file():
        return here
    site = lab.folder / "site"
    site.mkdir(parents=True, exist_ok=True)
    story = package_files("llamarig.site").joinpath("deploy.py.txt").read_text()
    (site / checks.DEPLOY).write_text(story)
    (site / "inventory.py").write_text(INVENTORY)
    return site / "inventory.py"


def _what_next(result: runner.Result, place: Path, state: State) -> None:
    name, entry = sorted(result.hosts.items())[0]
    url = entry["url"]
    body = '{"messages":[{"role":"user","content":"Count to ten."}],"max_tokens":32}'
    here = place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place
    print(f"\n{name} serves at {url}; it is a small model that counts. Ask it:")
    llamarig = typed()
    # The key goes through pipes: an argument of curl could be read by everybody on this machine.
    print(f"  {llamarig} key show {here} | sed 's/^/Authorization: Bearer /' |")
    print(f"  curl -s -H @- {url}/v1/chat/completions -H 'Content-Type: application/json' \\")
    print(f"    -d '{body}'")
    print("From this folder:")
    print(f"  {llamarig} lab ssh {name}    # log in")
    print(f"  {llamarig} up {here}    # again: nothing to do")
    if state.services and state.model:
        hub, repo = state.services["hub"], state.model["repo"]
        print(f"  HF_ENDPOINT={hub} {llamarig} models list {repo}    # what its hub offers")
    print(f"  {llamarig} lab down    # throw it all away")
