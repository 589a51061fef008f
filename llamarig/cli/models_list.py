"""models list: a repository's models, and what context each leaves on which card."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from llamarig import values
from llamarig.cli import table
from llamarig.cli.token import token_option
from llamarig.display import plain
from llamarig.errors import UserError
from llamarig.faults import shown
from llamarig.hub import asking, catalogue, fit, remote_header
from llamarig.hub import token as hub_token
from llamarig.onhost.gguf_header import Header
from llamarig.settings import Settings

MIB = 2**20
CONTEXTS = (8192, 16384, 32768, 49152)
# MiB as nvidia-smi names them on an RTX 4080, 4090 and 5090.
CARDS = "16 GB,16376;24 GB,24564;32 GB,32607"
# Each header is some MB; of more files than this only the smallest are read.
MOST_HEADERS = 12
THREADS = 4
# Of more files than this the smallest are shown.
MOST_SHOWN = 200
# MiB; no card has more.
MOST_MEMORY = 2**31

# By file name; None: it has no header that could be read.
Headers = dict[str, Header | None]


@click.command("list")
@click.argument("repo", default=Settings.model_fields["model_repo"].default)
@token_option
@click.option("--revision", help="A commit, branch or tag; else main.")
@click.option("--endpoint", envvar="HF_ENDPOINT", help="A mirror of the hub (or HF_ENDPOINT).")
@click.option("--context", default=8192, show_default=True, type=click.IntRange(256),
              help="Tokens that a card must have room for.")  # fmt: skip
@click.option("--cards", default=CARDS, show_default=True, help="NAME,MIB;… of memory.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_models(
    repo: str, revision: str | None, endpoint: str | None, context: int, cards: str, as_json: bool
) -> None:
    """List the models of REPO, and what fits on which card.

    Size, quantization, MTP heads, and per card the largest context. Downloads no model; reads a
    few MB of each (of more than 12, the smallest) for its header."""
    _check("REPO", "model_repo", repo)
    _check("--revision", "model_revision", revision)
    _check("--endpoint", "hf_endpoint", endpoint)
    memories = _cards(cards)
    try:
        token = hub_token.token(Settings())
        listing = catalogue.listing(repo, revision, endpoint, token)
        headers = _headers(listing, endpoint, token)
    except (asking.Unreachable, ValueError) as error:
        raise UserError(str(error)) from None
    rows = [_row(each, headers, memories, context) for each in listing.files[:MOST_SHOWN]]
    split = listing.split[:MOST_SHOWN]
    more = len(listing.files) + len(listing.split) - len(rows) - len(split)
    if as_json:
        found = {"repo": repo, "revision": listing.revision, "files": rows}
        parts = [asdict(each) for each in split]
        print(json.dumps({**found, "split": parts, "more": more}, indent=2))
        return
    _show(
        ["file", "size GB", "quant", "MTP heads", *memories],
        [_cells(row, memories) for row in rows],
    )
    for each in split:
        print(plain(_split_line(each)))
    if more:
        print(f"and {more} more; see the repository's page")


def _split_line(each: catalogue.SplitFile) -> str:
    count = str(each.parts) if each.parts == each.of else f"{each.parts} of {each.of}"
    size = f"{each.size / 1e9:.1f} GB"
    return f"{each.name}: {count} files, {size}, not supported; take one in one file"


def _check(name: str, setting: str, value: str | None) -> None:
    """Refuse what the setting of this kind would not take."""
    try:
        if value is not None:
            Settings.model_validate({setting: value})
    except ValidationError:
        allowed = values.allowed(Settings.model_fields[setting])
        # An address may hold a password, and one that is none may hold it anywhere.
        found = "" if setting == "hf_endpoint" else f"found {shown(setting, value)}, "
        raise UserError(f"{name}: {found}allowed: {allowed}") from None


def _cards(text: str) -> dict[str, int]:
    """Names of cards to bytes of their memory."""
    found = {}
    for each in filter(None, text.split(";")):
        name, _, size = (part.strip() for part in each.rpartition(","))
        # Digits are counted first: int() refuses thousands of them.
        if not name or not re.fullmatch("[0-9]{1,10}", size) or not 0 < int(size) <= MOST_MEMORY:
            raise UserError(
                f"--cards: found {shown('cards', each)}, allowed: NAME,MIB such as RTX 4090,24564"
            )
        if name in found:
            raise UserError(
                f"--cards: {shown('cards', name)} is there twice; give each card its own name"
            )
        found[name] = int(size) * MIB
    return found


def _headers(listing: catalogue.Listing, endpoint: str | None, token: str | None) -> Headers:
    """The headers of the smallest files. One that can't be read is said.

    Raises:
        UserError, asking.Unreachable: none can be read, and why.
    """
    files = listing.files[:MOST_HEADERS]
    found: Headers = {}
    faults: list[Exception] = []
    with ThreadPoolExecutor(THREADS) as pool:
        reading = {
            pool.submit(
                remote_header.read,
                catalogue.url(listing.repo, each.name, listing.revision, endpoint),
                token,
                size=each.size,
            ): each
            for each in files
        }
        with click.progressbar(
            as_completed(reading), length=len(files), label="reading headers", file=sys.stderr,
            hidden=not sys.stderr.isatty(),
        ) as done:  # fmt: skip
            for each in done:
                try:
                    found[reading[each].name] = each.result().header
                except (UserError, asking.Unreachable) as error:
                    found[reading[each].name] = None
                    faults.append(error)
    if files and not any(found.values()):
        raise faults[0]
    for fault in sorted(map(str, faults)):
        print(f"llamarig: {plain(fault)}", file=sys.stderr)
    return found


def _row(
    file: catalogue.GgufFile, headers: Headers, memories: dict[str, int], context: int
) -> dict[str, Any]:
    """A file as JSON has it. mtp: null where its header was not read; contexts: tokens per card,
    null where none fits; reckoned by another file's header where its own was not looked for."""
    own = headers.get(file.name)
    header = own if file.name in headers else next(filter(None, headers.values()), None)
    ladder = sorted({context, *(each for each in CONTEXTS if each > context)})
    if header and header.context_length:  # trained for so many tokens and no more
        ladder = [each for each in ladder if each <= header.context_length]
    rooms: dict[str, int | None] = {}
    for name, memory in memories.items() if header else ():
        fitting = [each for each in ladder if header and _total(header, file.size, each) <= memory]
        rooms[name] = max(fitting, default=None)
    mtp = own.nextn_predict_layers > 0 if own else None
    return {**asdict(file), "mtp": mtp, "contexts": rooms}


def _total(header: Header, size: int, context: int) -> int:
    """Bytes with the default recipe."""
    recipe = Settings()
    return fit.estimate(
        header, size, context=context, cache_type_k=recipe.cache_type_k,
        cache_type_v=recipe.cache_type_v, parallel=recipe.parallel,
        mtp=header.nextn_predict_layers > 0, draft_n_max=recipe.draft_n_max,
    ).total  # fmt: skip


def _cells(row: dict[str, Any], cards: Iterable[str]) -> list[str]:
    heads = {True: "yes", False: "no", None: "?"}[row["mtp"]]
    rooms = [str(row["contexts"].get(card, "?") or "no") for card in cards]
    return [row["name"], f"{row['size'] / 1e9:.2f}", row["quant"] or "-", heads, *rooms]


def _show(columns: list[str], rows: list[list[str]]) -> None:
    """Drawn on a terminal, columns of plain text elsewhere."""
    columns, rows = list(map(plain, columns)), [list(map(plain, row)) for row in rows]
    if sys.stdout.isatty():
        drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for place, name in enumerate(columns):
            drawn.add_column(name, overflow="fold", no_wrap=place > 0)
        for row in rows:
            drawn.add_row(*map(Text, row))
        Console().print(drawn)
        return
    table.columns([columns, *rows])
