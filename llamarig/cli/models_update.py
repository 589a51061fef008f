"""models update: pin what the hub has now."""

from __future__ import annotations

from pathlib import Path

import click

from llamarig import host_data
from llamarig.cli import checks
from llamarig.cli.inventory import inventory_argument
from llamarig.cli.token import token_option
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.hub.asking import Unreachable
from llamarig.hub.look import look
from llamarig.lockfile import Lockfile, model_key
from llamarig.settings import Settings


@click.command()
@token_option
@inventory_argument
def update(inventory: Path) -> None:
    """Pin what the hub has now in llamarig.lock. Reaches no host; the next `up` brings it there,
    and what serves, serves on until the new file is proven."""
    site, hosts = checks.check(inventory)
    lock = Lockfile(site / checks.LOCK)
    sound, _ = host_data.read({name: each.data for name, each in hosts.items()})
    of_the_hub = [each for each in sound.values() if from_the_hub(each)]
    if not of_the_hub:
        raise UserError(f"{inventory}: no host gets its model from the hub; nothing to update")
    named = {model_key(each): each for each in of_the_hub if each.model_quant is None}
    for each in of_the_hub:
        if each.model_quant is not None:
            named |= _forget_choices(lock, each)
    faults = []
    for key, each in sorted(named.items()):
        try:
            print(plain(f"{key}: {_update(lock, key, each)}"))
        except (UserError, Unreachable, ValueError) as error:
            faults.append(f"{key}: {error}; its pin stays as it was")
    if faults:
        raise UserError("\n".join(faults))


def from_the_hub(settings: Settings) -> bool:
    return settings.model_path is None and settings.model_from == "hub"


def _update(lock: Lockfile, key: str, settings: Settings) -> str:
    """Look at one file and pin it; what became of it."""
    old = lock.get("models", key)
    new = look(settings, settings.model_revision)
    if settings.spec_type != "none" and new["mtp_layers"] == 0:
        raise UserError(f"revision {new['revision'][:12]} has no MTP heads")
    lock.replace("models", key, new)
    size = f"{new['size'] / 1e9:.2f} GB"
    if new["sha256"] == old.get("sha256"):
        return f"unchanged, {size}, sha256 {new['sha256'][:12]}…"
    before = f"{old['sha256'][:12]}…" if old.get("sha256") else "nothing"
    return f"sha256 {before} -> {new['sha256'][:12]}…, {size}, revision {new['revision'][:12]}"


def _forget_choices(lock: Lockfile, settings: Settings) -> dict[str, Settings]:
    """Choices of model_quant are made on hosts, by their cards: the next run makes them anew. The
    files that were chosen are updated like those that are named; returns them."""
    chosen: dict[str, Settings] = {}
    for key in lock.keys("choices"):
        repository, quantization = [*key.split(" "), ""][:2]
        file = lock.get("choices", key).get("file")
        if repository.split("@")[0] != settings.model_repo or quantization != settings.model_quant:
            continue
        lock.forget("choices", key)
        print(plain(f"{key}: {file} forgotten, the next `up` chooses anew"))
        if file:
            named = settings.model_copy(update={"model_file": file, "model_quant": None})
            chosen[model_key(named)] = named
    if not chosen:
        print(
            f"{settings.model_repo}: model_quant {settings.model_quant} is chosen by the next `up`"
        )
    return chosen
