"""The generations of a host: what was staged, what was proven, what is current."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from llamarig.paths import CURRENT, GENERATIONS, PREVIOUS, RELEASES, TRANSACTION

_SHOW = (
    "for d in $(ls -1 {folder} 2>/dev/null | grep -x '[0-9]*' | sort -n); do "
    'printf \'{{"number": %s, "manifest": \' "$d"; '
    "cat {folder}/$d/manifest.json 2>/dev/null || printf null; "
    "printf ', \"proof\": '; cat {folder}/$d/proof.json 2>/dev/null || printf null; "
    "printf '}}\\n'; done | tr '\\n' ' ' | sed 's/}} *{{\"number\"/}},{{\"number\"/g'"
)

# What a generation is made of, as it is now: `file SHA256  3/recipe.json`, `link 3/release TARGET`.
_CONTENT = (
    "(cd {folder} 2>/dev/null && sha256sum [0-9]*/*.service [0-9]*/recipe.json 2>/dev/null "
    "| sed 's/^/file /'); "
    "find -H {folder} -mindepth 2 -maxdepth 2 -type l -printf 'link %P %l\\n' 2>/dev/null; "
)

_BEGINS = re.compile(r'\{"number": (\d+), "manifest": ')
_PROOF = ', "proof": '
DAMAGED = object()


@dataclass(frozen=True)
class Generation:
    """One generation; proof is None until one was attempted. edited: its files or links are not
    those that were staged, so that no proof is of them."""

    number: int
    digest: str
    manifest: dict[str, Any]
    proof: dict[str, Any] | None
    edited: bool = False

    @property
    def proven(self) -> bool:
        return self.proof is not None and self.proof.get("verdict") == "pass"

    @property
    def kept(self) -> bool:
        """Below the gate, and serving all the same because on_gate_fail said so."""
        return self.proof is not None and bool(self.proof.get("kept"))


@dataclass(frozen=True)
class GenerationState:
    """All generations in order, and the numbers that `current` (None: nothing is live) and
    `previous` name. unfinished: a switch was cut off, and nobody saw `current` answer."""

    current: int | None = None
    previous: int | None = None
    unfinished: bool = False
    all: list[Generation] = field(default_factory=list)
    # Numbers that are taken though their manifest says nothing, and a line per damaged file.
    broken: list[int] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def number(self, wanted: int | None) -> Generation | None:
        return next((each for each in self.all if each.number == wanted), None)

    @property
    def live(self) -> Generation | None:
        return self.number(self.current)

    def candidate(self, digest: str) -> Generation | None:
        """The newest generation with this digest that is as it was staged."""
        same = (each for each in reversed(self.all) if each.digest == digest and not each.edited)
        return next(same, None)

    @property
    def next_number(self) -> int:
        return 1 + max([each.number for each in self.all] + self.broken, default=0)


class Generations(FactBase[GenerationState]):
    """Read from the host alone: it is the truth about what it serves."""

    @staticmethod
    def default() -> GenerationState:
        return GenerationState()

    def command(self) -> str:
        links = " ".join(
            f"$(readlink {link} 2>/dev/null | sed 's|.*/||' | grep . || echo -)"
            for link in (CURRENT, PREVIOUS)
        )
        switch = f"$(test -e {TRANSACTION} && echo unfinished)"
        content = _CONTENT.format(folder=GENERATIONS)
        return f'echo {links} {switch}; {content}echo "[$({_SHOW.format(folder=GENERATIONS)})]"'

    def process(self, output: list[str]) -> GenerationState:
        try:
            current, previous, *switch = output[0].split()
            links = _number(current), _number(previous)
        except (ValueError, IndexError) as error:
            raise FactProcessError(f"the generations are not readable: {error}") from None
        content, shown = _content(output[1:])
        found: list[Generation] = []
        broken: list[int] = []
        damaged: list[str] = []
        for number, manifest, proof in _pieces("\n".join(shown)):
            folder = f"{GENERATIONS}/{number}"
            if proof is DAMAGED or not sound_proof(proof):
                damaged.append(f"{folder}/proof.json is damaged, so nothing proves it")
                proof = None
            if manifest is DAMAGED or not sound_manifest(manifest):
                what = "gone" if manifest is None else "damaged"
                damaged.append(f"{folder}/manifest.json is {what}, so it can't serve again")
                broken.append(number)
            else:
                edited = bool(content) and _edited(number, manifest, content)
                found.append(Generation(number, manifest["digest"], manifest, proof, edited))
        return GenerationState(*links, bool(switch), found, broken, damaged)


def _number(word: str) -> int | None:
    return None if word == "-" else int(word)


def _content(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """What _CONTENT printed, `3/release` to its target or a file's sha256; and the lines after."""
    found: dict[str, str] = {}
    for number, line in enumerate(lines):
        kind, _, rest = line.partition(" ")
        if kind == "file":
            value, _, name = rest.partition("  ")
        elif kind == "link":
            name, _, value = rest.partition(" ")
        else:
            return found, lines[number:]
        found[name] = value
    return found, []


def _edited(number: int, manifest: dict[str, Any], content: dict[str, str]) -> bool:
    files = manifest.get("files")
    wanted = dict(files) if isinstance(files, dict) else {}
    wanted["release"] = f"{RELEASES}/{manifest['release']}"
    wanted["model.gguf"] = manifest["model"]["path"]
    return any(content.get(f"{number}/{name}") != value for name, value in wanted.items())


def _pieces(text: str) -> Iterator[tuple[int, Any, Any]]:
    """Number, manifest and proof of each; None where a file is not there, DAMAGED where it is no
    JSON. One that is damaged must not hide the others."""
    _, *pieces = _BEGINS.split(text)
    for number, body in zip(pieces[::2], pieces[1::2], strict=True):
        manifest, rest = _value(body)
        if manifest is DAMAGED:
            rest = body[body.find(_PROOF) :] if _PROOF in body else ""
        proof, _ = _value(rest.removeprefix(_PROOF))
        yield int(number), manifest, proof


def _value(text: str) -> tuple[Any, str]:
    text = text.lstrip()
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return DAMAGED, text
    # A file ends with a newline, of which tr made a blank.
    return value, text[end:].lstrip()


def sound_manifest(found: Any) -> bool:
    """Whether a manifest has what others read of it."""
    if not isinstance(found, dict):
        return False
    texts = [found.get("digest"), found.get("release"), found.get("proof_key")]
    model, address = found.get("model"), found.get("address")
    if not isinstance(model, dict) or not isinstance(address, dict):
        return False
    texts += [model.get("file"), model.get("path"), model.get("sha256"), address.get("bind")]
    return all(isinstance(each, str) for each in texts) and isinstance(address.get("port"), int)


def sound_proof(found: Any) -> bool:
    """Whether a proof's verdict and figures are what others take them for; None is none."""
    if found is None:
        return True
    if not isinstance(found, dict) or not isinstance(found.get("verdict"), str):
        return False
    numbers = ("speedup", "finished", "baseline_tps", "mtp_tps", "acceptance", "acceptance_length")
    interval, samples, context = (found.get(key) for key in ("interval", "samples", "context"))
    return (
        all(isinstance(found.get(key), (int, float, type(None))) for key in numbers)
        and isinstance(context, (dict, type(None)))
        and isinstance(samples, (list, type(None)))
        and (interval is None or _two_numbers(interval))
    )


def _two_numbers(found: Any) -> bool:
    # The very type: true and false are numbers to isinstance.
    return (
        isinstance(found, list)
        and len(found) == 2
        and all(type(each) in (int, float) for each in found)
    )
