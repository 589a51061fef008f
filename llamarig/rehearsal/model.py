"""A small model whose MTP heads work, written on the spot: 46.5 MB, one second, always the same.

The trunk and the MTP head both compute the same map from a token to the next one (vocabulary.py).
Every block does the full matrix work of a real one and adds next to nothing to the residual. All
of it is run by llama.cpp as for any model: the head drafts, the trunk verifies, no flag fakes
anything. On a CPU the speedup comes from one pass over four tokens costing little more than a pass
over one. Two things make it so: with many thin layers the fixed cost of an operation dominates, and
llama.cpp multiplies four rows of Q4_0 at a time. The second holds even where a neighbour takes one
of two cores away, when the first does not (docs/measurements.md: 2.6 times, 1.9 on one thread).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np

from llamarig.errors import UserError
from llamarig.rehearsal import metadata, tensors, vocabulary
from llamarig.rehearsal.shape import QTYPES, Shape
from llamarig.rehearsal.state import cache_root

REPO = "llamarig/synthetic-mtp-GGUF"
FILES = {
    "good": "synthetic-mtp-Q4_0.gguf",
    "bad": "synthetic-mtp-bad-head-Q4_0.gguf",
    "none": "synthetic-mtp-no-head-Q4_0.gguf",
}
# Of the default shape with gguf 0.19 and numpy 2.4; the generator's bytes are part of the contract.
SHA256 = {
    "good": "0838f98fe2ab6a7abb0c68728cb499dffb9f854e31939575f785617266d6d97c",
    "bad": "80d5820f3c17f8b7b30b0cc71b230bceb33f5dddcffd48e25e84513ebfe148ba",
    "none": "2ae7b95f877c206a88b977b7b3fa08de4da4fa1013fafe548c75794f687db0de",
}


def make(path: Path, shape: Shape) -> None:
    """Write the GGUF at `path`."""
    words = vocabulary.build()
    writer = gguf.GGUFWriter(str(path), metadata.ARCHITECTURE)
    metadata.architecture(writer, shape)
    metadata.tokenizer(writer, words)
    tensors.write(writer, shape, words)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(kind: str, found: str) -> None:
    """Raise UserError if the default model of a kind came out with another sha256 than ours."""
    if found != SHA256[kind]:
        raise UserError(
            f"{FILES[kind]} was made with sha256 {found}, expected {SHA256[kind]}: gguf"
            f" {version('gguf')} and numpy {np.__version__} here, 0.19.0 and 2.4.6 when measured"
        )


def cached(kind: str) -> Path:
    """The default model with `good`, `bad` or no heads (`none`) in the cache, made if missing.

    Raises:
        UserError: its bytes are not those of every other machine.
    """
    place = cache_root() / "models" / FILES[kind]
    if place.exists() and sha256(place) == SHA256[kind]:
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place.parent)
    os.close(handle)
    path = Path(temporary)
    try:
        make(path, Shape(heads=kind))
        check(kind, sha256(path))
        path.replace(place)
    finally:
        path.unlink(missing_ok=True)
    place.chmod(0o644)
    return place


def main() -> None:
    """`python -m llamarig.rehearsal.model OUT [--no-head | --bad-head | --acceptance X]`."""
    parser = argparse.ArgumentParser(description="Write the small model with MTP heads.")
    parser.add_argument("out", type=Path)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--no-head", dest="heads", action="store_const", const="none",
                      help="leave the MTP block out")  # fmt: skip
    kind.add_argument("--bad-head", dest="heads", action="store_const", const="bad",
                      help="drafts are always wrong")  # fmt: skip
    kind.add_argument("--acceptance", type=float, default=1.0,
                      help="share of words whose successor the head knows, 0 to 1")  # fmt: skip
    parser.add_argument("--qtype", choices=QTYPES, default="Q4_0")
    parser.set_defaults(heads="good")
    chosen = parser.parse_args()
    try:
        shape = Shape(heads=chosen.heads, acceptance=chosen.acceptance, qtype=chosen.qtype)
        make(chosen.out, shape)
    except (UserError, OSError) as error:
        sys.exit(f"llamarig: {error}")
    print(f"{chosen.out} {sha256(chosen.out)}")


if __name__ == "__main__":
    main()
