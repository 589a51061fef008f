"""The baseline that was recorded when what serves was proven, and whether it still counts."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

from llamarig.onhost import context, digest, sample
from llamarig.onhost.errors import Stop
from llamarig.onhost.files import read_json
from llamarig.onhost.rounds import NOT_PASSED, UNDECIDED
from llamarig.onhost.sample import Taken

ANEW = "`llamarig smoke --full` measures both anew"


@dataclass(frozen=True)
class Serving:
    """The generation that is current. folder: of the generation itself, not of the link."""

    number: int
    folder: str
    manifest: dict[str, Any]
    recipe: dict[str, Any]


def serving(root: str) -> Serving:
    """What `current` names.

    Raises:
        Stop: it names nothing that can be read.
    """
    folder = os.path.realpath(os.path.join(root, "current"))
    try:
        number = int(os.path.basename(folder))
        manifest, recipe = (
            read_json(os.path.join(folder, name)) for name in ("manifest.json", "recipe.json")
        )
    except (OSError, ValueError):
        raise Stop("nothing is deployed here; first: llamarig up", NOT_PASSED) from None
    return Serving(number, folder, manifest, recipe)


def edited(found: Serving) -> bool:
    """Whether the generation's files or links are not those that were staged, and proven. A
    manifest that does not say what they were can't tell."""
    sums = found.manifest.get("files")
    if not sums:
        return False
    try:
        release, model = (
            os.readlink(os.path.join(found.folder, name)) for name in ("release", "model.gguf")
        )
        if os.path.basename(release) != found.manifest["release"]:
            return True
        if model != found.manifest["model"]["path"]:
            return True
        return any(digest.sha256(os.path.join(found.folder, name)) != sums[name] for name in sums)
    except OSError:
        return True


def runs(found: Serving, pid: int) -> bool:
    """Whether the process is this generation's, and not one that a restart would replace."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return f"/{found.number}/release/".encode() in file.read(65536)
    except OSError:
        return False


@dataclass(frozen=True)
class Baseline:
    """proof: the record; samples: the baseline's, of undisturbed rounds."""

    proof: dict[str, Any]
    samples: list[Taken]

    @property
    def origin(self) -> dict[str, Any]:
        """Which it is, for the record of what is compared with it."""
        generation = self.proof.get("reused_from", self.proof.get("generation"))
        return {"generation": generation, "finished": self.proof.get("finished")}


def taken(document: dict[str, Any]) -> Taken:
    """A sample as a record keeps it.

    Raises:
        KeyError, TypeError: it is none.
    """
    known = {each.name for each in fields(Taken)}
    return Taken(**{key: value for key, value in document.items() if key in known})


def baseline(found: Serving, prompts_digest: str, card: dict[str, Any] | None) -> Baseline:
    """The recorded baseline, if it was measured for what is there now: these prompts on this card,
    as onhost/context.py tells of it.

    Raises:
        Stop: there is none, or it was measured for something else.
    """
    try:
        proof = read_json(os.path.join(found.folder, "proof.json"))
        samples = sample.clean(taken(each) for each in proof["samples"])
        samples = [each for each in samples if each.arm == "baseline"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        samples = []
    if not samples:
        raise Stop(f"generation {found.number} has no recorded baseline; {ANEW}", UNDECIDED)
    if other := _other(found, proof, prompts_digest, card):
        raise Stop(f"the recorded baseline was measured with {other}; {ANEW}", UNDECIDED)
    return Baseline(proof, samples)


def _other(
    found: Serving, proof: dict[str, Any], prompts_digest: str, card: dict[str, Any] | None
) -> str | None:  # fmt: skip
    """What was another thing then; None where nothing was."""
    if edited(found):
        return "another recipe or model: the generation was edited by hand, `llamarig up` mends it"
    if proof.get("proof_key") != found.manifest.get("proof_key"):
        return "another release, model or recipe"
    then = proof.get("context") or {}
    if then.get("prompts_digest") != prompts_digest:
        return "other prompts (proof_suite)"
    if context.same_card(then.get("card"), card):
        return None
    old, now = then.get("card") or {}, card or {}
    changed = [key for key in context.CARD_KEYS if old.get(key) != now.get(key)]
    said = ", ".join(f"{key} {old.get(key)} -> {now.get(key)}" for key in changed)
    return f"another card, or one set otherwise ({said})"
